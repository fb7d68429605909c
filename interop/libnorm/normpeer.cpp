//go:build ignore
// (for the go command, which else takes C++ for cgo)

// normpeer: one end of a NORM session (RFC 5740) on NRL's libnorm, to hold ours
// against. Usage:
//
//	normpeer send [options] file:PATH | data:PATH | stream:PATH | messages:PATH ...
//	normpeer recv [options]
//
// stream sends the file's bytes in a stream, messages the records it consists of: their
// length in 4 bytes, big-endian, and so many bytes.
//
// It talks to its parent on stdout, a line per fact, the first word saying which:
//
//	VERSION 1.5.7              of the library
//	READY                      the session runs
//	QUEUED KIND SIZE PATH      (send) an object was given to the library
//	MARKED N                   (send) the first N bytes of a stream are acknowledged
//	WRITTEN N                  (send) all of a stream was taken
//	SENT N                     (send) object N has been transmitted once
//	ACKED ID                   (send) node ID has acknowledged everything
//	UNACKED ID                 (send) it has not, and we give up
//	COMMANDED TEXT             (send) a command was sent as often as it should
//	FLUSHED                    (send) all said, and nobody was asked to acknowledge
//	COMMAND ID TEXT            (recv) a command of the sender's application came
//	SENDER ID                  (recv) a sender was heard of
//	RESET ID                   (recv) it began anew
//	NEW KIND SIZE              (recv) an object has begun: file, data or stream
//	INFO TEXT                  (recv) its info
//	SYNCED N                   (recv) after N bytes of a stream, a message begins
//	BREAK N                    (recv) after N bytes of a stream, some are lost
//	DONE KIND SIZE PATH        (recv) it is complete and written
//	ABORTED KIND SIZE PATH     (recv) it will not be
//	INACTIVE ID                (recv) the sender is silent
//	END                        about to exit
//
// C++ because normApi.h of Debian's 1.5.9 does not compile as C.

#include "normpeer.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void die(const char *what, const char *detail)
{
	fprintf(stderr, "normpeer: %s %s\n", what, detail);
	_exit(1);
}

double seconds()
{
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

bool next(NormInstanceHandle instance, NormEvent &event, double deadline)
{
	int fd = NormGetDescriptor(instance);
	for (;;) {
		if (NormGetNextEvent(instance, &event, false)) return true;
		double left = deadline ? deadline - seconds() : 1;
		if (left <= 0) return false;
		if (left > 0.2) left = 0.2;
		timeval wait = {0, (suseconds_t)(left * 1e6)};
		fd_set set;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		select(fd + 1, &set, 0, 0, &wait);
	}
}

std::vector<char> slurp(const std::string &path)
{
	FILE *f = fopen(path.c_str(), "rb");
	if (!f) die("cannot read", path.c_str());
	std::vector<char> all;
	char buf[1 << 16];
	for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;) all.insert(all.end(), buf, buf + n);
	fclose(f);
	return all;
}

static NormFlushMode flushMode(const std::string &s)
{
	if (s == "none") return NORM_FLUSH_NONE;
	if (s == "passive") return NORM_FLUSH_PASSIVE;
	if (s != "active") die("no flush mode:", s.c_str());
	return NORM_FLUSH_ACTIVE;
}

static NormSyncPolicy syncPolicy(const std::string &s)
{
	if (s == "current") return NORM_SYNC_CURRENT;
	if (s == "stream") return NORM_SYNC_STREAM;
	if (s != "all") die("no sync policy:", s.c_str());
	return NORM_SYNC_ALL;
}

int main(int argc, char **argv)
{
	static const option options[] = {
		{"group", 1, 0, 'g'}, {"port", 1, 0, 'p'}, {"iface", 1, 0, 'I'}, {"id", 1, 0, 'i'}, {"ttl", 1, 0, 'T'},
		{"segment", 1, 0, 's'}, {"block", 1, 0, 'k'}, {"parity", 1, 0, 'n'}, {"auto", 1, 0, 'a'}, {"fec", 1, 0, 'e'},
		{"rate", 1, 0, 'r'},      // bits per second
		{"ack", 1, 0, 'A'},       // node that has to acknowledge; again for more
		{"retries", 1, 0, 'R'},   // rounds of asking for acknowledgement after the first
		{"grtt", 1, 0, 'G'},      // initial, seconds
		{"backoff", 1, 0, 'B'}, {"gsize", 1, 0, 'N'}, {"robust", 1, 0, 'o'},
		{"instance", 1, 0, 'S'}, {"buffer", 1, 0, 'b'}, // MiB
		{"txloss", 1, 0, 'x'}, {"rxloss", 1, 0, 'X'},   // percent
		{"info", 1, 0, 'f'},      // for every object; otherwise the file's name
		{"info-only", 0, 0, 'O'}, // FEC OTI in NORM_INFO only
		{"unicast-nack", 0, 0, 'u'}, {"cc", 0, 0, 'c'},
		{"dir", 1, 0, 'd'}, {"count", 1, 0, 'C'}, // recv: where to, and how many objects
		{"linger", 1, 0, 'l'}, {"seconds", 1, 0, 't'}, // time to stay when done, and at most
		{"debug", 1, 0, 'D'},
		{"flush", 1, 0, 1000},         // send: streams are flushed so after each write: none, passive, active
		{"chunk", 1, 0, 1001},         // bytes in a write
		{"pause", 1, 0, 1002},         // seconds between writes, and objects
		{"stream-buffer", 1, 0, 1003}, // bytes
		{"mark", 1, 0, 1004},          // so many bytes are acknowledged before more are written
		{"abrupt", 0, 0, 1005},        // the stream ends without a word
		{"push", 0, 0, 1006},          // what was not yet sent gives way to what is new
		{"messages", 0, 0, 1007},      // recv: streams consist of records
		{"silent", 1, 0, 1008},        // recv: says nothing, and gives up blocks so far behind
		{"sync", 1, 0, 1009},          // recv: current, stream, all
		{"txport", 1, 0, 1010},        // to send from
		{"command", 1, 0, 1011},       // send: a word, robustly; again for more
		{"command-once", 1, 0, 1012},  // likewise, a single time
		{0, 0, 0, 0},
	};
	Config c;
	if (argc < 2) die("usage: normpeer send|recv [options] [file:PATH|data:PATH|stream:PATH|messages:PATH ...]");
	std::string mode = argv[1];
	optind = 2;
	for (int o; (o = getopt_long(argc, argv, "", options, 0)) != -1;)
		switch (o) {
		case 'g': c.group = optarg; break;
		case 'p': c.port = atoi(optarg); break;
		case 'I': c.iface = optarg; break;
		case 'i': c.id = atoi(optarg); break;
		case 'T': c.ttl = atoi(optarg); break;
		case 's': c.segment = atoi(optarg); break;
		case 'k': c.block = atoi(optarg); break;
		case 'n': c.parity = atoi(optarg); break;
		case 'a': c.automatic = atoi(optarg); break;
		case 'e': c.fec = atoi(optarg); break;
		case 'r': c.rate = atof(optarg); break;
		case 'A': c.ackers.push_back(strtoul(optarg, 0, 10)); break;
		case 'R': c.retries = atoi(optarg); break;
		case 'G': c.grtt = atof(optarg); break;
		case 'B': c.backoff = atof(optarg); break;
		case 'N': c.gsize = atoi(optarg); break;
		case 'o': c.robust = atoi(optarg); break;
		case 'S': c.instance = atoi(optarg); break;
		case 'b': c.buffer = atoi(optarg); break;
		case 'x': c.txloss = atof(optarg); break;
		case 'X': c.rxloss = atof(optarg); break;
		case 'f': c.info = optarg; break;
		case 'O': c.infoOnly = true; break;
		case 'u': c.unicast = true; break;
		case 'c': c.cc = true; break;
		case 'd': c.dir = optarg; break;
		case 'C': c.count = atoi(optarg); break;
		case 'l': c.linger = atof(optarg); break;
		case 't': c.seconds = atof(optarg); break;
		case 'D': c.debug = atoi(optarg); break;
		case 1000: c.flush = flushMode(optarg); break;
		case 1001: c.chunk = atoi(optarg); break;
		case 1002: c.pause = atof(optarg); break;
		case 1003: c.streamBuffer = atoi(optarg); break;
		case 1004: c.mark = atoi(optarg); break;
		case 1005: c.abrupt = true; break;
		case 1006: c.push = true; break;
		case 1007: c.messages = true; break;
		case 1008: c.silent = true; c.delay = atoi(optarg); break;
		case 1010: c.txport = atoi(optarg); break;
		case 1011: c.commands.push_back({optarg, true}); break;
		case 1012: c.commands.push_back({optarg, false}); break;
		case 1009: c.sync = syncPolicy(optarg); break;
		default: return 2;
		}
	bool sends = mode == "send";
	if (!sends && mode != "recv") die("neither send nor recv:", mode.c_str());
	if (sends && optind == argc && c.commands.empty()) die("nothing to send");

	int major, minor, patch;
	NormGetVersion(&major, &minor, &patch);
	say("VERSION %d.%d.%d", major, minor, patch);
	if (c.debug) NormSetDebugLevel(c.debug);
	NormInstanceHandle instance = NormCreateInstance();
	NormSessionHandle session = NormCreateSession(instance, c.group.c_str(), c.port, c.id);
	if (session == NORM_SESSION_INVALID) die("NormCreateSession failed");
	if (!c.iface.empty()) NormSetMulticastInterface(session, c.iface.c_str());
	NormSetTTL(session, c.ttl);
	NormSetRxPortReuse(session, true); // several peers on one host
	NormSetMulticastLoopback(session, true);
	if (c.txport) NormSetTxPort(session, c.txport, true);

	int code = sends ? runSend(c, instance, session, argv + optind, argc - optind) : runRecv(c, instance, session);
	_exit(code); // the library's threads would race with destructors
}
