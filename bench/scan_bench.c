/*
 * How fast statements are scanned: scan_bench [FILE [SECONDS]]. Each line of the file is a text
 * (without a file: a few of usual lengths); prints MB/s and nanoseconds a text, of the scan and of the normal
 * form.
 */
#include "pool/scan/scan.h"
#include <time.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const usual[] = {
	"SELECT abalance FROM pgbench_accounts WHERE aid = 4711",
	"UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 99871;",
	"INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (7, 1, 4711, 12, "
	"CURRENT_TIMESTAMP);",
	"SELECT m.id, m.recipient_id, m.body, m.is_read, m.created_at FROM social.messages m "
	"WHERE m.sender_id = $1 AND m.deleted_at IS NULL ORDER BY m.created_at DESC LIMIT $2",
	"BEGIN",
	"SELECT \"users\".* FROM \"users\" WHERE \"users\".\"email\" = 'someone@example.org' LIMIT 1",
	"SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.region IN ('eu', "
	"'us') "
	"AND o.status = 'pending' AND o.total_cents > 10000 GROUP BY c.id HAVING count(*) > 3",
	"COMMIT",
};

static size_t texts(const char *path, const char ***items)
{
	static char data[1 << 20];
	static const char *lines[1 << 14];
	size_t count = 0;
	FILE *file = path ? fopen(path, "r") : NULL;
	if (!file) {
		*items = (const char **)usual;
		return sizeof(usual) / sizeof(*usual);
	}
	data[fread(data, 1, sizeof(data) - 1, file)] = '\0';
	fclose(file);
	for (char *line = strtok(data, "\n"); line && count < sizeof(lines) / sizeof(*lines);
	     line = strtok(NULL, "\n"))
		lines[count++] = line;
	*items = lines;
	return count;
}

/* Processor time: a busy machine does not count. */
static double cpu_ms(void)
{
	return (double)clock() * 1e3 / CLOCKS_PER_SEC;
}

static void measure(const char *name, const char **items, size_t count, double seconds, bool normal)
{
	double start = cpu_ms(), ms = 0;
	size_t bytes = 0, runs = 0;
	uint64_t sum = 0;
	char out[4096];
	for (; ms < seconds * 1e3; ms = cpu_ms() - start)
		for (size_t round = 0; round < 1000; round++)
			for (size_t i = 0; i < count; i++) {
				struct pgm_scan scan = {0};
				size_t length = strlen(items[i]);
				if (normal)
					sum += pgm_scan_normalize(items[i], length, true, out, sizeof(out));
				else
					pgm_scan_sql(items[i], length, true, &scan);
				sum += scan.fingerprint;
				bytes += length;
				runs++;
			}
	printf("%s: %.0f MB/s, %.0f ns a text of %.0f bytes (%016llx)\n", name, (double)bytes / ms / 1e3,
	       ms * 1e6 / (double)runs, (double)bytes / (double)runs, (unsigned long long)sum);
}

int main(int argc, char **argv)
{
	const char **items;
	size_t count = texts(argc > 1 ? argv[1] : NULL, &items);
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
	if (count == 0)
		return 1;
	measure("scan", items, count, seconds, false);
	measure("normal form", items, count, seconds, true);
	return 0;
}
