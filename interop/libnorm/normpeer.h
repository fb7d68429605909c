// normpeer.h: what the parts of normpeer share; normpeer.cpp says what it is.

#ifndef NORMPEER_H
#define NORMPEER_H

#include <normApi.h>

#include <string>
#include <utility>
#include <vector>

struct Config {
	std::string group = "239.255.7.7", iface, info, dir = ".";
	int port = 6003, id = 1, segment = 1400, block = 64, parity = 16, automatic = 0, fec = 0;
	int ttl = 1, robust = 20, gsize = 10, buffer = 64, instance = 1, count = 0, retries = 3, debug = 0;
	double rate = 20e6, grtt = 0, backoff = -1, txloss = 0, rxloss = 0, linger = 0, seconds = 0;
	bool unicast = false, cc = false, infoOnly = false;
	std::vector<NormNodeId> ackers;
	std::vector<std::pair<std::string, bool>> commands; // and whether robustly

	// Of streams.
	NormFlushMode flush = NORM_FLUSH_PASSIVE;
	int chunk = 8192, streamBuffer = 1 << 20, mark = 0; // bytes
	double pause = 0;
	bool abrupt = false, push = false, messages = false, silent = false;
	int delay = -1, txport = 0;
	NormSyncPolicy sync = NORM_SYNC_CURRENT;
};

// say tells the parent a fact, in a line.
void say(const char *format, ...);

[[noreturn]] void die(const char *what, const char *detail = "");

// seconds is a clock.
double seconds();

// next waits for an event until the deadline, 0 for none; false when it passed.
bool next(NormInstanceHandle instance, NormEvent &event, double deadline);

std::vector<char> slurp(const std::string &path);

int runSend(const Config &c, NormInstanceHandle instance, NormSessionHandle session, char **objects, int n);
int runRecv(const Config &c, NormInstanceHandle instance, NormSessionHandle session);

// A record is how messages are written: their length in 4 bytes, big-endian, and so many
// bytes. record returns the length of the record at data, 0 when it is not whole.
inline size_t record(const char *data, size_t n)
{
	const unsigned char *d = (const unsigned char *)data;
	if (n < 4) return 0;
	size_t whole = 4 + ((size_t)d[0] << 24 | (size_t)d[1] << 16 | (size_t)d[2] << 8 | d[3]);
	return whole <= n ? whole : 0;
}

#endif
