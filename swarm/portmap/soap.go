package portmap

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// argumentsMax bounds the arguments of an answer.
const argumentsMax = 32

// Codes of UPnPError (WANIPConnection:2, section 2.5; UPnP Device Architecture 2.0, section
// 3.2.3) that are handled apart.
const (
	upnpInvalidAction      = 401
	upnpInvalidArgs        = 402
	upnpActionFailed       = 501
	upnpNotImplemented     = 602
	upnpNoSuchEntry        = 714 // for pinholes: 704
	upnpConflict           = 718
	upnpSamePort           = 724 // the external port must be the internal one
	upnpPermanentOnly      = 725
	upnpConflictElsewhere  = 729
	upnpNoSuchPinhole      = 704
	upnpPinholeUnsupported = 703
)

// An argument of an action.
type argument struct{ name, value string }

// appendAction appends the body of a request for an action (UPnP Device Architecture 2.0,
// section 3.2.1).
func appendAction(b []byte, urn, action string, arguments []argument) []byte {
	b = append(b, `<?xml version="1.0"?>`+"\r\n"+
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" `+
		`s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:`...)
	b = append(b, action...)
	b = append(b, ` xmlns:u="`...)
	b = append(b, escape(urn)...)
	b = append(b, `">`...)
	for _, a := range arguments {
		b = append(b, "<"+a.name+">"+escape(a.value)+"</"+a.name+">"...)
	}
	return append(b, "</u:"+action+"></s:Body></s:Envelope>\r\n"...)
}

// escape returns s as the text of an element or an attribute.
func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// parseAnswer parses the answer to an action, and returns its arguments by name. The error is
// a *RouterError for a fault.
func parseAnswer(body []byte) (arguments map[string]string, err error) {
	arguments = make(map[string]string)
	var envelope, fault bool
	err = walk(body, func(name, text string) {
		switch name {
		case "Envelope":
			envelope = true
		case "Fault":
			fault = true
		}
		if len(arguments) < argumentsMax {
			arguments[name] = text
		}
	})
	code, known := arguments["errorCode"]
	switch {
	case fault || known:
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil {
			n = upnpActionFailed
		}
		return nil, &RouterError{UPnP, int(n), printable(arguments["errorDescription"])}
	case err != nil:
		return nil, err
	case !envelope:
		return nil, fmt.Errorf("reading XML: %w", errMessage)
	}
	return arguments, nil
}
