// norm measures NRL's NORM with small messages, in the sense of latency.h: a stream that
// is flushed behind each message, with small blocks and one parity symbol sent unasked,
// which is the best that was found for latency.

#include "latency.h"

#include <normApi.h>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static NormInstanceHandle instance;

// The library's events have to be taken, or it keeps them.
static void *discard(void *)
{
	NormEvent event;
	while (NormGetNextEvent(instance, &event, true)) {}
	return NULL;
}

static int send(const struct job &j, NormSessionHandle session)
{
	NormSetTxRate(session, 200e6);
	NormSetGrttEstimate(session, 0.005);
	NormSetBackoffFactor(session, 1);
	NormSetGroupSize(session, 10);
	if (!NormStartSender(session, getpid(), 64 << 20, 1400, 8, 2)) return 1;
	NormSetAutoParity(session, 1);
	NormObjectHandle stream = NormStreamOpen(session, 8 << 20);
	pthread_t thread;
	pthread_create(&thread, NULL, discard, NULL);
	char *message = (char *)calloc(1, j.bytes);
	int64_t begin = clock_ns();
	for (long i = 0; i < j.messages; i++) {
		int64_t at = due(&j, begin, i);
		struct timespec t = {at / 1000000000, at % 1000000000};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		stamp(message, i);
		for (long n = 0; n < j.bytes;) n += NormStreamWrite(stream, message + n, j.bytes - n);
		NormStreamFlush(stream, true, NORM_FLUSH_PASSIVE);
	}
	sleep(2);
	return 0;
}

static int receive(const struct job &j, NormSessionHandle session)
{
	NormSetDefaultSyncPolicy(session, NORM_SYNC_STREAM);
	if (!NormStartReceiver(session, 64 << 20)) return 1;
	NormSetRxSocketBuffer(session, 4 << 20);
	puts("READY");
	fflush(stdout);
	char *message = (char *)malloc(j.bytes);
	NormObjectHandle stream = NORM_OBJECT_INVALID;
	struct pollfd p = {NormGetDescriptor(instance), POLLIN, 0};
	bool synced = false, last = false;
	long have = 0;
	for (int64_t end = over(&j); !last && clock_ns() < end;) {
		NormEvent event;
		if (poll(&p, 1, 200) <= 0 || !NormGetNextEvent(instance, &event, false)) continue;
		if (event.type == NORM_RX_OBJECT_NEW) stream = event.object;
		if (event.type != NORM_RX_OBJECT_UPDATED || event.object != stream) continue;
		while (!last && (synced || (synced = NormStreamSeekMsgStart(stream)))) {
			unsigned int n = j.bytes - have;
			if (!NormStreamRead(stream, message + have, &n)) { // a part is lost
				synced = false;
				have = 0;
				continue;
			}
			if (n == 0) break;
			if ((have += n) < j.bytes) continue;
			have = 0;
			last = note(&j, message);
		}
	}
	tell(&j);
	return 0;
}

int main(int argc, char **argv)
{
	struct job j;
	int sends = parse_job(&j, argc, argv);
	instance = NormCreateInstance();
	NormSessionHandle session = NormCreateSession(instance, j.group, j.port, sends ? 1 : 11);
	if (session == NORM_SESSION_INVALID) return 1;
	NormSetMulticastInterface(session, j.device);
	NormSetTTL(session, 1);
	_exit(sends ? send(j, session) : receive(j, session)); // the library's threads still run
}
