#include "serve/http/tokens.h"

#include "util/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX     ((size_t)1 << 20)
#define SECRET_BYTES 32
#define DAY_S	     86400

struct token {
	char name[PGM_TOKEN_NAME_MAX + 1];
	enum pgm_role role;
	unsigned char hash[SHA256_DIGEST_LENGTH];
	int64_t expires_at; /* seconds since 1970; 0: never */
};

struct pgm_tokens {
	pthread_mutex_t lock;
	struct token *items;
	size_t count;
};

static const char *const role_names[] = {"none", "viewer", "operator", "admin"};

const char *pgm_role_name(enum pgm_role role)
{
	return role_names[role];
}

bool pgm_role_parse(const char *name, enum pgm_role *role)
{
	for (int i = PGM_ROLE_VIEWER; i <= PGM_ROLE_ADMIN; i++)
		if (strcmp(role_names[i], name) == 0) {
			*role = (enum pgm_role)i;
			return true;
		}
	return false;
}

struct pgm_tokens *pgm_tokens_new(void)
{
	struct pgm_tokens *tokens = calloc(1, sizeof(*tokens));
	if (tokens)
		pthread_mutex_init(&tokens->lock, NULL);
	return tokens;
}

void pgm_tokens_free(struct pgm_tokens *tokens)
{
	if (!tokens)
		return;
	pthread_mutex_destroy(&tokens->lock);
	free(tokens->items);
	free(tokens);
}

static bool is_name(const char *name)
{
	size_t length = strlen(name);
	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("_.@-", *at))
			return false;
	return length > 0 && length <= PGM_TOKEN_NAME_MAX;
}

static bool parse_hash(const char *text, unsigned char hash[SHA256_DIGEST_LENGTH])
{
	size_t length = 0;
	return strlen(text) == 2 * SHA256_DIGEST_LENGTH &&
	       strspn(text, "0123456789abcdefABCDEF") == 2 * SHA256_DIGEST_LENGTH &&
	       OPENSSL_hexstr2buf_ex(hash, SHA256_DIGEST_LENGTH, &length, text, '\0') == 1;
}

static bool parse_day(const char *text, int64_t *end)
{
	struct tm day = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &day);
	if (!rest || *rest)
		return false;
	*end = (int64_t)timegm(&day) + DAY_S;
	return true;
}

/* line is changed. What is wrong with it, or NULL. No message holds the line. */
static const char *parse_line(char *line, struct token *token)
{
	char *fields[5];
	size_t count = 0;
	for (char *next = line; next && count < 5; count++)
		fields[count] = strsep(&next, ":");
	if (count < 3 || count > 4)
		return "a line is NAME:ROLE:SHA256, or NAME:ROLE:SHA256:YYYY-MM-DD";
	if (!is_name(fields[0]))
		return "the name is empty, too long, or has other characters than letters, digits and _.@-";
	if (!pgm_role_parse(fields[1], &token->role))
		return "the role is none of viewer, operator, admin";
	if (!parse_hash(fields[2], token->hash))
		return "the hash is not 64 hexadecimal digits";
	if (count == 4 && !parse_day(fields[3], &token->expires_at))
		return "the day is not written as 2026-12-31";
	memcpy(token->name, fields[0], strlen(fields[0]) + 1);
	return NULL;
}

static bool parse_file(const char *path, char *text, struct token **items, size_t *count,
		       struct pgm_error *err)
{
	int number = 0;
	*count = 0;
	*items = calloc(PGM_TOKENS_MAX, sizeof(**items));
	if (!*items)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		struct token token = {0};
		number++;
		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		const char *wrong = *count < PGM_TOKENS_MAX ? parse_line(line, &token) : "there are too many";
		for (size_t i = 0; !wrong && i < *count; i++)
			if (strcmp((*items)[i].name, token.name) == 0)
				wrong = "the name is there before";
		if (wrong) {
			free(*items);
			return pgm_error_set(err, PGM_ERR_INPUT, "%s:%d: %s", path, number, wrong);
		}
		(*items)[(*count)++] = token;
	}
	return true;
}

/* Who can write it can make themselves admin. */
static bool judge_mode(const char *path, struct pgm_error *err)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
	if (!(status.st_mode & 0022) && !(status.st_mode & 0004))
		return true;
	pgm_error_set(err, PGM_ERR_INPUT, "%s can be %s by others", path,
		      status.st_mode & 0022 ? "changed" : "read");
	return pgm_error_hint(err, "chmod 600 %s", path);
}

static bool load(const char *path, struct token **items, size_t *count, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *text;
	return judge_mode(path, err) && pgm_file_read(arena, path, FILE_MAX, &text, err) &&
	       parse_file(path, text, items, count, err);
}

bool pgm_tokens_replace(struct pgm_tokens *tokens, const char *path, struct pgm_error *err)
{
	struct token *items;
	size_t count;
	if (!load(path, &items, &count, err))
		return pgm_error_context(err, "tokens");
	pthread_mutex_lock(&tokens->lock);
	struct token *old = tokens->items;
	tokens->items = items;
	tokens->count = count;
	pthread_mutex_unlock(&tokens->lock);
	free(old);
	return true;
}

/* "pgm_" and 256 bits in the alphabet of URLs. */
static bool invent(char token[static PGM_TOKEN_SIZE], unsigned char hash[SHA256_DIGEST_LENGTH],
		   struct pgm_error *err)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char bytes[SECRET_BYTES + 1] = {0};
	if (RAND_bytes(bytes, SECRET_BYTES) != 1)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "there are no random numbers to be had");
	char *out = token + sprintf(token, "pgm_");
	for (size_t bit = 0; bit < 8 * SECRET_BYTES; bit += 6) {
		unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
		*out++ = digits[pair >> (10 - bit % 8) & 63];
	}
	*out = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	SHA256((const unsigned char *)token, strlen(token), hash);
	return true;
}

bool pgm_tokens_invent(struct pgm_tokens *tokens, const char *name, enum pgm_role role,
		       char token[static PGM_TOKEN_SIZE], struct pgm_error *err)
{
	struct token made = {.role = role};
	snprintf(made.name, sizeof(made.name), "%s", name);
	if (!invent(token, made.hash, err))
		return false;
	pthread_mutex_lock(&tokens->lock);
	struct token *items = realloc(tokens->items, (tokens->count + 1) * sizeof(*items));
	if (items) {
		items[tokens->count++] = made;
		tokens->items = items;
	}
	pthread_mutex_unlock(&tokens->lock);
	return items || pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
}

static bool check_new(const char *path, const char *name, struct pgm_error *err)
{
	struct token *items;
	size_t count;
	bool taken = false;
	if (!is_name(name))
		return pgm_error_set(err, PGM_ERR_USAGE,
				     "a token's name has 1 to %d letters, digits and _.@-",
				     PGM_TOKEN_NAME_MAX);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	if (!load(path, &items, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		taken |= strcmp(items[i].name, name) == 0;
	free(items);
	if (!taken)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "%s has a token \"%s\" already", path, name);
	return pgm_error_hint(err, "Remove its line, or take another name.");
}

static bool append(const char *path, const char *line, struct pgm_error *err)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	size_t length = strlen(line);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	char last = '\n';
	/* somebody's editor may have left the last line open */
	bool written = fd >= 0 && (end <= 0 || pread(fd, &last, 1, end - 1) == 1) &&
		       (last == '\n' || write(fd, "\n", 1) == 1) &&
		       write(fd, line, length) == (ssize_t)length && fsync(fd) == 0;
	int why = errno;
	if (fd >= 0)
		close(fd);
	return written || pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", path, strerror(why));
}

bool pgm_tokens_add(const char *path, const char *name, enum pgm_role role, int64_t days,
		    char token[static PGM_TOKEN_SIZE], struct pgm_error *err)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char line[256], *out = line;
	if (!check_new(path, name, err) || !invent(token, hash, err))
		return false;
	out += sprintf(out, "%s:%s:", name, pgm_role_name(role));
	for (size_t i = 0; i < sizeof(hash); i++)
		out += sprintf(out, "%02x", hash[i]);
	if (days > 0) {
		time_t last = time(NULL) + (time_t)days * DAY_S;
		struct tm parts;
		gmtime_r(&last, &parts);
		out += strftime(out, 16, ":%Y-%m-%d", &parts);
	}
	memcpy(out, "\n", 2);
	return append(path, line, err);
}

bool pgm_tokens_find(struct pgm_tokens *tokens, const char *token, char name[static PGM_TOKEN_NAME_MAX + 1],
		     enum pgm_role *role)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	const struct token *found = NULL;
	int64_t now = (int64_t)time(NULL);
	SHA256((const unsigned char *)token, strlen(token), hash);
	pthread_mutex_lock(&tokens->lock);
	for (size_t i = 0; i < tokens->count; i++) {
		const struct token *item = &tokens->items[i];
		bool same = CRYPTO_memcmp(item->hash, hash, sizeof(hash)) == 0;
		if (same && (!item->expires_at || now < item->expires_at))
			found = item;
	}
	if (found) {
		memcpy(name, found->name, sizeof(found->name));
		*role = found->role;
	}
	pthread_mutex_unlock(&tokens->lock);
	return found != NULL;
}
