#include "pool/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Set before any thread runs, but for the descriptor, which a reload may replace. */
static struct {
	_Atomic int fd;
	_Atomic int verbose;
	char *path;
	bool syslog;
	int format;
} target = {.fd = STDERR_FILENO};

static const char *const level_names[] = {"ERROR", "WARNING", "LOG", "DEBUG"};
static const int syslog_levels[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

/* What is none of them is refused when the configuration is read. */
static int facility_of(const char *name)
{
	int found = LOG_DAEMON;
	if (name)
		pgm_log_facility(name, &found);
	return found;
}

bool pgm_log_facility(const char *name, int *facility)
{
	static const struct {
		const char *name;
		int facility;
	} all[] = {{"auth", LOG_AUTH},	   {"authpriv", LOG_AUTHPRIV}, {"daemon", LOG_DAEMON},
		   {"user", LOG_USER},	   {"local0", LOG_LOCAL0},     {"local1", LOG_LOCAL1},
		   {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},     {"local4", LOG_LOCAL4},
		   {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},     {"local7", LOG_LOCAL7}};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i].name, name) == 0) {
			*facility = all[i].facility;
			return true;
		}
	return false;
}

bool pgm_log_open(const struct pgm_pool_config *config, bool quiet, struct pgm_error *err)
{
	atomic_store(&target.verbose, (int)config->verbose);
	target.format = config->log_format;
	if (config->syslog) {
		openlog(config->syslog_ident ? strdup(config->syslog_ident) : "pgmend", LOG_PID,
			facility_of(config->syslog_facility));
		target.syslog = true;
	}
	if (config->logfile && *config->logfile) {
		target.path = strdup(config->logfile);
		int fd = target.path ? open_file(target.path) : -1;
		if (fd < 0)
			return pgm_error_set(err, PGM_ERR_INPUT, "cannot open log file %s: %s",
					     config->logfile, strerror(errno));
		atomic_store(&target.fd, fd);
	} else if (quiet) {
		atomic_store(&target.fd, -1);
	}
	return true;
}

void pgm_log_reopen(void)
{
	int fd = target.path ? open_file(target.path) : -1;
	/* put in the place of the old one, which another thread may be writing to */
	if (fd >= 0) {
		dup3(fd, atomic_load(&target.fd), O_CLOEXEC);
		close(fd);
	}
}

void pgm_log_verbose(int verbose)
{
	atomic_store(&target.verbose, verbose);
}

static size_t json_line(char *line, size_t size, const char *at, enum pgm_log_level level,
			const char *message)
{
	json_t *object = json_pack("{s:s, s:s, s:i, s:s%}", "time", at, "level", level_names[level], "pid",
				   (int)getpid(), "message", message, strlen(message));
	if (!object) /* not UTF-8 */
		object = json_pack("{s:s, s:s, s:i, s:s}", "time", at, "level", level_names[level], "pid",
				   (int)getpid(), "message", "(not UTF-8)");
	size_t length = object ? json_dumpb(object, line, size - 1, JSON_COMPACT) : 0;
	json_decref(object);
	if (length >= size - 1)
		return 0;
	line[length] = '\n';
	return length + 1;
}

void pgm_log_line(enum pgm_log_level level, const char *line, size_t length)
{
	int fd = atomic_load(&target.fd);
	if (target.syslog)
		syslog(syslog_levels[level], "%.*s", (int)length, line);
	if (fd >= 0) {
		ssize_t written = write(fd, line, length);
		(void)written;
	}
}

void pgm_log(enum pgm_log_level level, const char *format, ...)
{
	char message[2048], line[4400], at[64], zone[16];
	struct timespec now;
	struct tm parts;
	va_list args;
	if (level == PGM_LOG_DEBUG && atomic_load(&target.verbose) < 1)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	for (char *c = message; *c; c++) /* one line a call, whatever a client put into a name */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &parts);
	strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &parts);
	strftime(zone, sizeof(zone), "%Z", &parts);
	snprintf(at + strlen(at), sizeof(at) - strlen(at), ".%03ld %s", now.tv_nsec / 1000000, zone);
	size_t length;
	if (target.format == PGM_LOG_FORMAT_JSON)
		length = json_line(line, sizeof(line), at, level, message);
	else
		length = (size_t)snprintf(line, sizeof(line), "%s [%d] %s %s\n", at, (int)getpid(),
					  level_names[level], message);
	pgm_log_line(level, line, length < sizeof(line) ? length : sizeof(line) - 1);
}
