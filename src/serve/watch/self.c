/*
 * This process, under the names that every client library of Prometheus gives them.
 */
#include "serve/watch/parts.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double started_seconds;

__attribute__((constructor)) static void note_start(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	started_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t count_files(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/fd");
	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

static double resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void pgm_self_add(struct pgm_self_samples *samples, const char *metric, const char *const *labels,
		  double value)
{
	pgm_samples_add_named(&samples->builder, metric, labels, value);
}

void pgm_self_process(struct pgm_self_samples *samples)
{
	struct timespec cpu;
	struct rlimit files = {0};
	const char *version[] = {PGM_VERSION};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	getrlimit(RLIMIT_NOFILE, &files);
	pgm_self_add(samples, "pgmend_build_info", version, 1);
	pgm_self_add(samples, "process_cpu_seconds_total", NULL,
		     (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
	pgm_self_add(samples, "process_resident_memory_bytes", NULL, resident_bytes());
	pgm_self_add(samples, "process_open_fds", NULL, (double)count_files());
	pgm_self_add(samples, "process_max_fds", NULL, (double)files.rlim_cur);
	pgm_self_add(samples, "process_start_time_seconds", NULL, started_seconds);
}
