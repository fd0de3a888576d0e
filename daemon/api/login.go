package api

import (
	"net/http"

	"swarmnode/daemon/control"
)

const (
	loginPath  = "/login"
	logoutPath = "/logout"
	// loginBodyMax bounds the body of a login, which anybody may send.
	loginBodyMax = 4 << 10
)

// loginRoutes are those that need no login.
var loginRoutes = []route{
	{method: "POST", path: loginPath, name: "login",
		about: "Logs a browser in: the answer sets the cookie of a session.",
		scope: control.None, body: Login{}, status: http.StatusNoContent,
		serve: (*call).login},
	{method: "POST", path: logoutPath, name: "logout",
		about: "Ends the session of the cookie.", scope: control.None,
		status: http.StatusNoContent, serve: (*call).logout},
}

// needsNoLogin reports whether a request is for one of loginRoutes.
func needsNoLogin(r *http.Request) bool {
	return r.URL.Path == Base+loginPath || r.URL.Path == Base+logoutPath
}

// login begins a session.
func (c *call) login() error {
	var who Login
	if err := c.bodyUpTo(&who, false, loginBodyMax); err != nil {
		return err
	}
	if _, err := c.api.cfg.Gate.SignIn(c.w, c.r, who.Name, who.Password); err != nil {
		return err
	}
	return c.done()
}

// logout ends the session.
func (c *call) logout() error {
	c.api.cfg.Gate.SignOut(c.w, c.r)
	return c.done()
}
