package portmap

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// errGone is the error of requests to a router that does not answer.
var errGone = errors.New("connection refused")

// describe returns the description of a device with services.
func describe(services ...string) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>` +
		`<deviceList><device><serviceList>`)
	for i, s := range services {
		fmt.Fprintf(&b, `<service><serviceType>urn:schemas-upnp-org:service:%s</serviceType>`+
			`<SCPDURL>/s.xml</SCPDURL><controlURL>/ctl/%d</controlURL></service>`, s, i)
	}
	b.WriteString(`</serviceList></device></deviceList></device></root>`)
	return []byte(b.String())
}

// fault returns the answer of a device that refuses.
func fault(code int) []byte {
	return fmt.Appendf(nil, `<s:Envelope><s:Body><s:Fault><faultcode>s:Client</faultcode>`+
		`<detail><UPnPError><errorCode>%d</errorCode><errorDescription>No</errorDescription>`+
		`</UPnPError></detail></s:Fault></s:Body></s:Envelope>`, code)
}

// answerWith returns the answer of a device with arguments.
func answerWith(arguments string) []byte {
	return []byte(`<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Body><u:Response xmlns:u="y">` +
		arguments + `</u:Response></s:Body></s:Envelope>`)
}

// argumentsOf returns the arguments of an action.
func argumentsOf(body []byte) map[string]string {
	all := make(map[string]string)
	walk(body, func(name, text string) { all[name] = text })
	return all
}

// request answers a request.
func (r *fakeRouter) request(now time.Time, q *request) ([]byte, error) {
	if r.mute || !r.igd {
		return nil, errGone
	}
	if q.action == "" {
		switch {
		case len(r.services) > 0:
			return describe(r.services...), nil
		case r.external.Is6():
			return describe("WANIPConnection:2", "WANIPv6FirewallControl:1"), nil
		case r.version == 2:
			return describe("WANIPConnection:2"), nil
		}
		return describe("Layer3Forwarding:1", "WANIPConnection:1"), nil
	}
	if err := xml.Unmarshal(q.body, new(struct{})); err != nil {
		return nil, err
	}
	_, action, _ := strings.Cut(strings.Trim(q.action, `"`), "#")
	r.actions = append(r.actions, action)
	args := argumentsOf(q.body)
	number, _ := strconv.Atoi(args["NewExternalPort"])
	port := uint16(number)
	key := fmt.Sprintf("%s:%d", args["NewProtocol"], port)
	if code := r.codes[action]; code != 0 {
		return fault(code), nil
	}
	switch action {
	case "GetExternalIPAddress":
		ip := r.external
		if other, ok := r.externals[q.at.path]; ok {
			ip = other
		}
		return answerWith("<NewExternalIPAddress>" + ip.String() + "</NewExternalIPAddress>"), nil
	case "GetFirewallStatus":
		return answerWith(fmt.Sprintf("<FirewallEnabled>%v</FirewallEnabled>"+
			"<InboundPinholeAllowed>%v</InboundPinholeAllowed>", !r.noWall, !r.noPinholes)), nil
	case "GetSpecificPortMappingEntry":
		if _, ok := r.table[key]; !ok {
			return fault(upnpNoSuchEntry), nil
		}
		return answerWith("<NewInternalClient>" + local4.String() + "</NewInternalClient>"), nil
	case "DeletePortMapping":
		delete(r.table, key)
		return answerWith(""), nil
	case "DeletePinhole":
		delete(r.table, args["UniqueID"])
		return answerWith(""), nil
	}
	return r.change(now, action, args, port, key), nil
}

// change answers a request for a mapping or a pinhole.
func (r *fakeRouter) change(now time.Time, action string, args map[string]string, port uint16,
	key string) []byte {
	lease, _ := strconv.Atoi(args["NewLeaseDuration"] + args["LeaseTime"] + args["NewLeaseTime"])
	until := time.Time{}
	if lease > 0 {
		until = now.Add(time.Duration(lease) * time.Second)
	}
	switch {
	case r.refuse != 0:
		return fault(r.refuse)
	case action == "UpdatePinhole":
		if _, ok := r.table[args["UniqueID"]]; !ok {
			return fault(upnpNoSuchPinhole)
		}
		r.table[args["UniqueID"]] = entry{by: UPnP, until: until}
		return answerWith("")
	case action == "AddPinhole":
		r.pinholes++
		id := strconv.Itoa(r.pinholes)
		r.table[id] = entry{by: UPnP, until: until}
		return answerWith("<UniqueID>" + id + "</UniqueID>")
	case r.permanentOnly && lease != 0:
		return fault(upnpPermanentOnly)
	case action == "AddAnyPortMapping":
		for r.taken[port] {
			port++
		}
		r.table[fmt.Sprintf("%s:%d", args["NewProtocol"], port)] = entry{by: UPnP, until: until}
		return answerWith(fmt.Sprintf("<NewReservedPort>%d</NewReservedPort>", port))
	case r.taken[port]:
		return fault(upnpConflict)
	}
	r.table[key] = entry{by: UPnP, until: until}
	return answerWith("")
}
