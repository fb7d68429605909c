//go:build ignore
// (for the go command, which else takes C++ for cgo)

// normpeer: one end of a NORM session (RFC 5740) on NRL's libnorm, to hold ours
// against. Usage:
//
//	normpeer send [options] file:PATH | data:PATH ...
//	normpeer recv [options]
//
// It talks to its parent on stdout, a line per fact, the first word saying which:
//
//	VERSION 1.5.7              of the library
//	READY                      the session runs
//	QUEUED file|data SIZE PATH (send) an object was given to the library
//	SENT N                     (send) object N has been transmitted once
//	ACKED ID                   (send) node ID has acknowledged everything
//	UNACKED ID                 (send) it has not, and we give up
//	FLUSHED                    (send) all said, and nobody was asked to acknowledge
//	SENDER ID                  (recv) a sender was heard of
//	NEW file|data SIZE         (recv) an object has begun
//	INFO TEXT                  (recv) its info
//	DONE file|data SIZE PATH   (recv) it is complete and written
//	ABORTED file|data          (recv) it will not be
//	INACTIVE ID                (recv) the sender is silent
//	END                        about to exit
//
// C++ because normApi.h of Debian's 1.5.9 does not compile as C.

#include <normApi.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <vector>

struct Config {
	std::string group = "239.255.7.7", iface, info, dir = ".";
	int port = 6003, id = 1, segment = 1400, block = 64, parity = 16, automatic = 0, fec = 0;
	int ttl = 1, robust = 20, gsize = 10, buffer = 64, instance = 1, count = 0, retries = 3, debug = 0;
	double rate = 20e6, grtt = 0, backoff = -1, txloss = 0, rxloss = 0, linger = 0, seconds = 0;
	bool unicast = false, cc = false, infoOnly = false;
	std::vector<NormNodeId> ackers;
};

static void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

[[noreturn]] static void die(const char *what, const char *detail = "")
{
	fprintf(stderr, "normpeer: %s %s\n", what, detail);
	_exit(1);
}

static double seconds()
{
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

// next waits for an event until the deadline, 0 for none; false when it passed.
static bool next(NormInstanceHandle instance, NormEvent &event, double deadline)
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

static std::vector<char> slurp(const std::string &path)
{
	FILE *f = fopen(path.c_str(), "rb");
	if (!f) die("cannot read", path.c_str());
	std::vector<char> all;
	char buf[1 << 16];
	for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;) all.insert(all.end(), buf, buf + n);
	fclose(f);
	return all;
}

// report prints what each acking node did and returns whether all of them did it.
static bool report(NormSessionHandle session, bool last)
{
	bool all = true;
	NormNodeId node = NORM_NODE_NONE;
	NormAckingStatus status;
	while (NormGetNextAckingNode(session, &node, &status)) {
		if (status != NORM_ACK_SUCCESS) all = false;
		else continue;
		if (last) say("UNACKED %u", (unsigned)node);
	}
	if (!all && !last) return false;
	node = NORM_NODE_NONE;
	while (NormGetNextAckingNode(session, &node, &status))
		if (status == NORM_ACK_SUCCESS) say("ACKED %u", (unsigned)node);
	return all;
}

static int runSend(const Config &c, NormInstanceHandle instance, NormSessionHandle session, char **objects, int n)
{
	NormSetTxRate(session, c.rate);
	if (c.grtt > 0) NormSetGrttEstimate(session, c.grtt);
	if (c.backoff >= 0) NormSetBackoffFactor(session, c.backoff);
	NormSetGroupSize(session, c.gsize);
	NormSetTxRobustFactor(session, c.robust);
	NormSetTxLoss(session, c.txloss);
	NormLimitObjectInfo(session, c.infoOnly);
	if (c.cc) NormSetCongestionControl(session, true, true);
	for (NormNodeId id : c.ackers) NormAddAckingNode(session, id);
	if (!NormStartSender(session, c.instance, (UINT32)c.buffer << 20, c.segment, c.block, c.parity, c.fec)) die("NormStartSender failed");
	NormSetRxLoss(session, c.rxloss);
	NormSetAutoParity(session, c.automatic);
	NormSetTxCacheBounds(session, (NormSize)1 << 40, 1, n + 1);
	say("READY");

	std::vector<std::vector<char>> kept(n); // libnorm does not copy data objects
	std::vector<NormObjectHandle> handles;
	for (int i = 0; i < n; i++) {
		std::string object = objects[i], path = object.substr(object.find(':') + 1);
		std::string info = c.info.empty() ? path.substr(path.rfind('/') + 1) : c.info;
		NormObjectHandle h = NORM_OBJECT_INVALID;
		struct stat st;
		if (stat(path.c_str(), &st)) die("no such file:", path.c_str());
		if (object.compare(0, 5, "file:") == 0) {
			h = NormFileEnqueue(session, path.c_str(), info.data(), info.size());
		} else if (object.compare(0, 5, "data:") == 0) {
			kept[i] = slurp(path);
			h = NormDataEnqueue(session, kept[i].data(), kept[i].size(), info.data(), info.size());
		} else {
			die("neither file: nor data:", object.c_str());
		}
		if (h == NORM_OBJECT_INVALID) die("cannot enqueue", object.c_str());
		NormObjectRetain(h);
		handles.push_back(h);
		say("QUEUED %.4s %lld %s", object.c_str(), (long long)st.st_size, path.c_str());
	}
	if (!c.ackers.empty()) NormSetWatermark(session, handles.back(), true);

	double deadline = c.seconds ? seconds() + c.seconds : 0;
	int code = 0, retries = 0;
	bool over = false;
	NormEvent event;
	while (!over) {
		if (!next(instance, event, deadline)) {
			report(session, true);
			code = 3;
			break;
		}
		switch (event.type) {
		case NORM_TX_OBJECT_SENT:
			for (int i = 0; i < n; i++)
				if (handles[i] == event.object) say("SENT %d", i);
			break;
		case NORM_TX_FLUSH_COMPLETED:
			if (c.ackers.empty()) {
				say("FLUSHED");
				over = true;
			}
			break;
		case NORM_TX_WATERMARK_COMPLETED:
			if (report(session, retries == c.retries)) {
				over = true;
			} else if (retries++ < c.retries) {
				NormResetWatermark(session);
			} else {
				code = 3;
				over = true;
			}
			break;
		default: break;
		}
	}
	// The library still answers repair requests until the sender is stopped.
	for (double until = seconds() + c.linger; c.linger > 0 && next(instance, event, until);) {}
	NormStopSender(session);
	say("END");
	return code;
}

static int runRecv(const Config &c, NormInstanceHandle instance, NormSessionHandle session)
{
	if (!NormSetCacheDirectory(instance, c.dir.c_str())) die("cannot use directory", c.dir.c_str());
	NormSetDefaultUnicastNack(session, c.unicast);
	NormSetDefaultRxRobustFactor(session, c.robust);
	if (!NormStartReceiver(session, (UINT32)c.buffer << 20)) die("NormStartReceiver failed");
	NormSetRxSocketBuffer(session, 4 << 20);
	NormSetRxLoss(session, c.rxloss);
	NormSetTxLoss(session, c.txloss);
	say("READY");

	double deadline = c.seconds ? seconds() + c.seconds : 0;
	int done = 0, code = 0;
	NormEvent event;
	while (next(instance, event, deadline)) {
		bool file = event.object != NORM_OBJECT_INVALID && NormObjectGetType(event.object) == NORM_OBJECT_FILE;
		const char *type = file ? "file" : "data";
		switch (event.type) {
		case NORM_REMOTE_SENDER_NEW: say("SENDER %u", (unsigned)NormNodeGetId(event.sender)); break;
		case NORM_REMOTE_SENDER_INACTIVE: say("INACTIVE %u", (unsigned)NormNodeGetId(event.sender)); break;
		case NORM_RX_OBJECT_NEW: say("NEW %s %lld", type, (long long)NormObjectGetSize(event.object)); break;
		case NORM_RX_OBJECT_INFO: {
			std::vector<char> info(NormObjectGetInfoLength(event.object));
			NormObjectGetInfo(event.object, info.data(), info.size());
			say("INFO %.*s", (int)info.size(), info.data());
			break;
		}
		case NORM_RX_OBJECT_ABORTED: say("ABORTED %s", type); break;
		case NORM_RX_OBJECT_COMPLETED: {
			char path[4096];
			snprintf(path, sizeof path, "%s/object-%d", c.dir.c_str(), done);
			long long size = NormObjectGetSize(event.object);
			if (file) {
				char temporary[4096];
				if (!NormFileGetName(event.object, temporary, sizeof temporary) || rename(temporary, path)) die("cannot rename to", path);
			} else {
				FILE *f = fopen(path, "wb");
				if (!f || fwrite(NormDataAccessData(event.object), 1, size, f) != (size_t)size || fclose(f)) die("cannot write", path);
			}
			say("DONE %s %lld %s", type, size, path);
			if (++done == c.count) deadline = seconds() + c.linger;
			break;
		}
		default: break;
		}
	}
	if (done < c.count) code = 3;
	NormStopReceiver(session);
	say("END");
	return code;
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
		{0, 0, 0, 0},
	};
	Config c;
	if (argc < 2) die("usage: normpeer send|recv [options] [file:PATH|data:PATH ...]");
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
		default: return 2;
		}
	bool sends = mode == "send";
	if (!sends && mode != "recv") die("neither send nor recv:", mode.c_str());
	if (sends && optind == argc) die("nothing to send");

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

	int code = sends ? runSend(c, instance, session, argv + optind, argc - optind) : runRecv(c, instance, session);
	_exit(code); // the library's threads would race with destructors
}
