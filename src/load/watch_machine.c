/*
 * Processor time of the machine and of a server's processes, from /proc.
 */
#include "load/watch_parts.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

struct process {
	char name[32];
	int parent;
	unsigned long long own, ended; /* ticks, of itself and of children that ended */
};

/* The name stands in parentheses and may hold any byte, parentheses too. */
static bool read_process(const char *pid, struct process *process)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(line, sizeof(line), file) != NULL;
	if (file)
		fclose(file);
	char *name = ok ? strchr(line, '(') : NULL, *end = ok ? strrchr(line, ')') : NULL;
	if (!name || !end || end < name)
		return false;
	unsigned long long user, system, ended_user, ended_system;
	*end = '\0';
	snprintf(process->name, sizeof(process->name), "%.31s", name + 1);
	if (sscanf(end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
		   &process->parent, &user, &system, &ended_user, &ended_system) != 5)
		return false;
	process->own = user + system;
	process->ended = ended_user + ended_system;
	return true;
}

bool pgm_watch_is_local(int backend_pid)
{
	char pid[24];
	struct process process;
	snprintf(pid, sizeof(pid), "%d", backend_pid);
	return backend_pid > 0 && read_process(pid, &process) && strncmp(process.name, "postgres", 8) == 0;
}

/* The parent of every backend has waited for those that ended: their time is in its own account. */
static void add_server(int backend_pid, struct pgm_watch_machine *machine)
{
	char pid[24];
	struct process process, parent;
	snprintf(pid, sizeof(pid), "%d", backend_pid);
	if (!read_process(pid, &process) || strncmp(process.name, "postgres", 8) != 0 || process.parent <= 1)
		return;
	int postmaster = process.parent;
	snprintf(pid, sizeof(pid), "%d", postmaster);
	DIR *folder = read_process(pid, &parent) ? opendir("/proc") : NULL;
	if (!folder)
		return;
	machine->server = parent.own + parent.ended;
	machine->has_server = true;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    read_process(entry->d_name, &process) && process.parent == postmaster)
			machine->server += process.own;
	closedir(folder);
}

bool pgm_watch_machine_read(int backend_pid, struct pgm_watch_machine *machine)
{
	unsigned long long ticks[8] = {0};
	*machine = (struct pgm_watch_machine){0};
	FILE *file = fopen("/proc/stat", "re");
	int read = file ? fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
				 &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7])
			: 0;
	if (file)
		fclose(file);
	if (read < 5)
		return false;
	for (int i = 0; i < read; i++)
		machine->all += ticks[i];
	machine->busy = machine->all - ticks[3] - ticks[4]; /* idle, and waiting for the disk */
	if (backend_pid)
		add_server(backend_pid, machine);
	return true;
}
