package api

// sessionRoutes are those of the daemon as a whole.
var sessionRoutes []route
