// latency.h: what the programs that bench measures latency with share. Each is
//
//	PROGRAM send|recv GROUP PORT INTERFACE MESSAGES PER-SECOND BYTES
//
// The receiver says READY and, at its end, a line with number and nanoseconds of each
// message it got, and DONE. A message begins with its number and the time it was written.

#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct job {
	const char *group, *device;
	int port;
	long messages, per_second, bytes;
};

static inline int64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline int parse_job(struct job *j, int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "usage: %s send|recv GROUP PORT INTERFACE MESSAGES PER-SECOND BYTES\n", argv[0]);
		exit(2);
	}
	j->group = argv[2];
	j->port = atoi(argv[3]);
	j->device = argv[4];
	j->messages = atol(argv[5]);
	j->per_second = atol(argv[6]);
	j->bytes = atol(argv[7]);
	return strcmp(argv[1], "send") == 0;
}

static inline void stamp(char *message, int64_t number)
{
	int64_t head[2] = {number, clock_ns()};
	memcpy(message, head, sizeof head);
}

static int64_t *latencies; // by number, 0 if it did not come
static long arrived;

// note takes a message that has come, and returns whether it was the last.
static inline int note(const struct job *j, const char *message)
{
	int64_t head[2], now = clock_ns();
	memcpy(head, message, sizeof head);
	if (!latencies) latencies = (int64_t *)calloc(j->messages, sizeof *latencies);
	if (head[0] < 0 || head[0] >= j->messages) return 0;
	latencies[head[0]] = now - head[1];
	arrived++;
	return head[0] == j->messages - 1;
}

static inline void tell(const struct job *j)
{
	for (long i = 0; latencies && i < j->messages; i++)
		if (latencies[i]) printf("%ld %lld\n", i, (long long)latencies[i]);
	printf("DONE %ld\n", arrived);
	fflush(stdout);
}

// due is when a message is to be written.
static inline int64_t due(const struct job *j, int64_t begin, long number)
{
	return begin + number * 1000000000LL / j->per_second;
}

// over is when a receiver gives up.
static inline int64_t over(const struct job *j) { return clock_ns() + (j->messages / j->per_second + 6) * 1000000000LL; }

#endif
