// lcrqpeer makes and decodes RaptorQ symbols with liblcrq (Debian: liblcrq-dev).
//
//	lcrqpeer symbols K T ESI...  prints each symbol of a block of K symbols of T
//	                             bytes as "ESI hex"
//	lcrqpeer speed K T LOST RUNS prints the CPU seconds it takes to encode the block
//	                             (the intermediate symbols), and to decode it
//	                             without its first LOST source symbols: the least
//	                             of RUNS
//
// The block is made by x = x*1664525 + 1013904223 mod 2^32 from x = K*T, a byte being
// x >> 24.
#include <lcrq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void symbol(rq_t *rq, uint32_t esi, uint8_t *sym)
{
	rq_pid_t pid = 0;

	pid = rq_pidsetesi(pid, esi);
	rq_symbol(rq, &pid, sym, esi < rq_K(rq) ? RQ_SOURCE : RQ_REPAIR);
}

static int symbols(rq_t *rq, int n, char *esis[])
{
	size_t t = rq_T(rq);
	uint8_t *sym = malloc(t);

	for (int i = 0; i < n; i++) {
		symbol(rq, atoi(esis[i]), sym);
		printf("%s ", esis[i]);
		for (size_t j = 0; j < t; j++) printf("%02x", sym[j]);
		printf("\n");
	}
	free(sym);
	return 0;
}

static double decode(rq_t *rq, const uint8_t *block, uint32_t lost)
{
	size_t k = rq_K(rq), t = rq_T(rq), n = rq_KP(rq) + 2; // it wants K' and some
	uint8_t *enc = malloc(n * t), *dec = calloc(n, t);
	uint32_t *esi = malloc(n * sizeof *esi);
	double seconds;
	int rc;

	for (size_t i = 0; i < n; i++) {
		esi[i] = lost + i;
		symbol(rq, esi[i], enc + i * t);
	}
	seconds = cpu();
	rc = rq_decode(rq, dec, enc, esi, n);
	seconds = cpu() - seconds;
	if (rc != 0 || memcmp(dec, block, k * t)) seconds = -1;
	free(enc); free(dec); free(esi);
	return seconds;
}

int main(int argc, char *argv[])
{
	size_t f;
	uint8_t *block;
	uint32_t x;
	double best[2] = {-1, -1};
	rq_t *rq;

	if (argc < 4) return 2;
	f = strtoul(argv[2], NULL, 10) * strtoul(argv[3], NULL, 10);
	block = malloc(f);
	x = f;
	for (size_t i = 0; i < f; i++) {
		x = x * 1664525 + 1013904223;
		block[i] = x >> 24;
	}
	RQ_WS_DEFAULT = (size_t)1 << 40; // one block, one sub-block
	for (int run = 0; ; run++) {
		double d;

		rq = rq_init(f, atoi(argv[3]));
		if (!rq || rq_Z(rq) != 1 || rq_N(rq) != 1) return 3;
		d = cpu();
		if (rq_encode(rq, block, f)) return 4;
		d = cpu() - d;
		if (!strcmp(argv[1], "symbols")) return symbols(rq, argc - 4, argv + 4);
		if (argc < 6 || run >= atoi(argv[5])) break;
		if (best[0] < 0 || d < best[0]) best[0] = d;
		d = decode(rq, block, atoi(argv[4]));
		if (d >= 0 && (best[1] < 0 || d < best[1])) best[1] = d;
		rq_free(rq);
	}
	printf("encode %.9f decode %.9f\n", best[0], best[1]);
	return 0;
}
