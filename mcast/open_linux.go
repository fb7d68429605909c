package mcast

// openSocket opens the socket of this system.
func openSocket(cfg *config, m *members, count *counters) (socket, error) {
	return openLinux(cfg, m, count)
}
