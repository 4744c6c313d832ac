#include "pool/config/config_parts.h"
#include "pool/config/hba.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

struct token {
	const char *text;
	bool quoted; /* then it has no special meaning */
	bool comma;  /* one follows */
	struct pgm_config_place place;
};

typedef PGM_VEC(struct token) token_list;

struct hba_reader {
	struct pgm_arena *arena;
	struct pgm_config_problems *problems;
	bool may_include;
	int files;
	PGM_VEC(struct pgm_hba_rule) rules;
	PGM_VEC(struct pgm_hba_map *) maps;
};

/* One mapping to a map, grown while reading. */
struct growing_map {
	struct pgm_hba_map map;
	PGM_VEC(struct pgm_hba_mapping) mappings;
};

typedef void line_reader(struct hba_reader *reader, token_list *tokens, void *data);

static bool ends_word(char c)
{
	return !c || c == ',' || c == '#' || c == '"' || isspace((unsigned char)c);
}

/* The words of a line that ends at end; false with a problem. */
static bool split_line(struct hba_reader *reader, const char *start, const char *end,
		       struct pgm_config_place place, token_list *tokens)
{
	tokens->count = 0;
	for (const char *at = start; at < end && *at != '#';) {
		place.column = (int)(at - start) + 1;
		if (isspace((unsigned char)*at)) {
			at++;
		} else if (*at == ',') {
			if (tokens->count == 0 || tokens->items[tokens->count - 1].comma) {
				pgm_config_error(reader->problems, place, NULL,
						 "a name is missing before the comma");
				return false;
			}
			tokens->items[tokens->count - 1].comma = true;
			at++;
		} else if (*at == '"') {
			char *word = pgm_arena_alloc(reader->arena, (size_t)(end - at)), *out = word;
			for (at++; at < end && (*at != '"' || (at + 1 < end && at[1] == '"')); at++) {
				*out++ = *at;
				at += *at == '"';
			}
			if (at >= end) {
				pgm_config_error(reader->problems, place, NULL,
						 "the quoted name does not end");
				return false;
			}
			at++;
			*pgm_vec_add(reader->arena, tokens) = (struct token){word, true, false, place};
		} else {
			const char *word = at++;
			while (at < end && !ends_word(*at))
				at++;
			*pgm_vec_add(reader->arena, tokens) = (struct token){
				pgm_strndup(reader->arena, word, (size_t)(at - word)), false, false, place};
		}
	}
	return true;
}

static void read_lines(struct hba_reader *reader, const struct pgm_config_text *text, line_reader *read_one,
		       void *data)
{
	token_list tokens = {0};
	struct pgm_config_place place = {pgm_strdup(reader->arena, text->path), 0, 1};
	const char *end = text->bytes + text->length;
	for (const char *at = text->bytes; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			stop = end;
		place.line++;
		if (split_line(reader, at, stop, place, &tokens) && tokens.count)
			read_one(reader, &tokens, data);
		at = stop + 1;
	}
}

static bool is_word(const struct token *token, const char *word)
{
	return !token->quoted && strcmp(token->text, word) == 0;
}

static bool line_ends(struct hba_reader *reader, const token_list *tokens, size_t at, const char *missing)
{
	if (at < tokens->count)
		return false;
	struct pgm_config_place place = tokens->items[tokens->count - 1].place;
	place.column += (int)strlen(tokens->items[tokens->count - 1].text);
	pgm_config_error(reader->problems, place, NULL, "the line ends where %s should stand", missing);
	return true;
}

struct name_request {
	struct pgm_hba_names *names;
	bool database;
	int depth;
	const char *directory_of;
	bool ok;
};

static size_t read_names(struct hba_reader *reader, token_list *tokens, size_t at,
			 struct name_request *request);

static void read_name_line(struct hba_reader *reader, token_list *tokens, void *data)
{
	struct name_request *request = data;
	/* In a file of names, blanks separate as commas do. */
	for (size_t at = 0; at < tokens->count && request->ok;)
		at = read_names(reader, tokens, at, request);
}

static bool read_name_file(struct hba_reader *reader, const struct token *token, struct name_request *request)
{
	struct pgm_config_text text;
	const char *name = token->text + 1, *slash = strrchr(request->directory_of, '/');
	const char *path = *name == '/' || !slash ? name
						  : pgm_sprintf(reader->arena, "%.*s/%s",
								(int)(slash - request->directory_of),
								request->directory_of, name);
	if (!reader->may_include || request->depth >= PGM_CONFIG_INCLUDE_DEPTH_MAX ||
	    reader->files++ >= PGM_CONFIG_FILES_MAX) {
		pgm_config_error(reader->problems, token->place, NULL,
				 "@ files are nested too deep or too many");
		return false;
	}
	if (!pgm_config_text_read(&text, path, PGM_CONFIG_FILE_BYTES_MAX, token->place.file,
				  token->place.line, token->place.column, reader->problems))
		return false;
	struct name_request inner = *request;
	inner.depth++;
	inner.directory_of = text.path;
	read_lines(reader, &text, read_name_line, &inner);
	pgm_config_text_wipe(&text);
	return inner.ok;
}

static void add_name(struct hba_reader *reader, struct pgm_hba_names *names, const char *name)
{
	if ((names->count & (names->count - 1)) == 0) { /* a power of two: full */
		const char **more =
			PGM_NEW_ARRAY(reader->arena, const char *, names->count ? names->count * 2 : 1);
		if (names->count)
			memcpy(more, names->names, names->count * sizeof(*more));
		names->names = more;
	}
	names->names[names->count++] = name;
}

static const char *unsupported_name(const struct token *token, bool database)
{
	static const char *const words[] = {"samerole", "samegroup"};
	if (token->quoted)
		return NULL;
	if (*token->text == '+')
		return "groups (+name) are not supported";
	if (*token->text == '/')
		return "regular expressions are not supported";
	for (size_t i = 0; database && i < 2; i++)
		if (strcmp(token->text, words[i]) == 0)
			return "samerole and samegroup are not supported";
	return NULL;
}

/* A list of names with commas; returns where it ended. request->ok is false where it was wrong. */
static size_t read_names(struct hba_reader *reader, token_list *tokens, size_t at,
			 struct name_request *request)
{
	struct pgm_hba_names *names = request->names;
	for (bool more = true; more && request->ok; at++) {
		if (line_ends(reader, tokens, at, "a name")) {
			request->ok = false;
			return at;
		}
		const struct token *token = &tokens->items[at];
		const char *unsupported = unsupported_name(token, request->database);
		more = token->comma;
		if (unsupported) {
			pgm_config_error(reader->problems, token->place,
					 "Name the users or databases, or use @file.", "%s", unsupported);
			request->ok = false;
		} else if (is_word(token, "all")) {
			names->all = true;
		} else if (request->database && is_word(token, "sameuser")) {
			names->sameuser = true;
		} else if (request->database && is_word(token, "replication")) {
			names->replication = true;
		} else if (!token->quoted && token->text[0] == '@' && token->text[1]) {
			request->ok = read_name_file(reader, token, request);
		} else {
			add_name(reader, names, token->text);
		}
	}
	return at;
}

static bool read_prefix(struct pgm_hba_rule *rule, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned bits = (unsigned)atoi(text);
	if (digits == 0 || digits > 3 || text[digits] || bits > (rule->family == AF_INET ? 32u : 128u))
		return false;
	for (unsigned bit = 0; bit < bits; bit++)
		rule->mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return true;
}

/* Returns where the address ended; 0 with a problem. */
static size_t read_address(struct hba_reader *reader, token_list *tokens, size_t at,
			   struct pgm_hba_rule *rule)
{
	if (line_ends(reader, tokens, at, "an address"))
		return 0;
	const struct token *token = &tokens->items[at++];
	if (is_word(token, "all")) {
		rule->any_address = true;
		return at;
	}
	char *address = pgm_strdup(reader->arena, token->text);
	char *slash = strchr(address, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, address, rule->address) == 1) {
		rule->family = AF_INET;
	} else if (inet_pton(AF_INET6, address, rule->address) == 1) {
		rule->family = AF_INET6;
	} else {
		pgm_config_error(
			reader->problems, token->place,
			"It is all, or an IPv4 or IPv6 address: 10.0.0.0/8. Host names, samehost and "
			"samenet are not supported.",
			"\"%.100s\" is no address", address);
		return 0;
	}
	if (slash) {
		if (!read_prefix(rule, slash)) {
			pgm_config_error(reader->problems, token->place, NULL, "\"/%s\" is no prefix length",
					 slash);
			return 0;
		}
	} else {
		if (line_ends(reader, tokens, at, "the address's mask"))
			return 0;
		token = &tokens->items[at++];
		if (inet_pton(rule->family, token->text, rule->mask) != 1) {
			pgm_config_error(reader->problems, token->place,
					 "Write 10.0.0.0/8, or 10.0.0.0 255.0.0.0.", "\"%.100s\" is no mask",
					 token->text);
			return 0;
		}
	}
	for (size_t i = 0; i < 16; i++)
		if (rule->address[i] & ~rule->mask[i]) {
			pgm_config_error(reader->problems, token->place,
					 "PostgreSQL would ignore them, and PgBouncer would match nobody.",
					 "the address has bits outside its mask");
			return 0;
		}
	return at;
}

static bool read_method(struct hba_reader *reader, const struct token *token, enum pgm_auth_type *method)
{
	static const char *const names[] = {"trust",	     "reject", "md5", "password",
					    "scram-sha-256", "cert",   "peer"};
	static const enum pgm_auth_type methods[] = {PGM_AUTH_TRUST, PGM_AUTH_REJECT, PGM_AUTH_MD5,
						     PGM_AUTH_PLAIN, PGM_AUTH_SCRAM,  PGM_AUTH_CERT,
						     PGM_AUTH_PEER};
	for (size_t i = 0; i < 7; i++)
		if (is_word(token, names[i])) {
			*method = methods[i];
			return true;
		}
	const char *hint = pgm_config_did_you_mean(reader->problems, token->text, names, 7);
	pgm_config_error(reader->problems, token->place,
			 hint ? hint
			      : "It is one of: trust, reject, md5, password, scram-sha-256, cert, peer.",
			 "there is no method \"%.100s\" here", token->text);
	return false;
}

static bool read_map_option(struct hba_reader *reader, const struct token *token, struct pgm_hba_rule *rule)
{
	if (token->quoted || strncmp(token->text, "map=", 4) != 0) {
		pgm_config_error(reader->problems, token->place, NULL,
				 "there is no option \"%.100s\"; only map=NAME is", token->text);
		return false;
	}
	if (rule->method != PGM_AUTH_CERT && rule->method != PGM_AUTH_PEER) {
		pgm_config_error(reader->problems, token->place, NULL, "map= goes with cert and peer alone");
		return false;
	}
	for (size_t i = 0; i < reader->maps.count; i++)
		if (strcmp(reader->maps.items[i]->name, token->text + 4) == 0) {
			rule->map = reader->maps.items[i];
			return true;
		}
	pgm_config_error(reader->problems, token->place, "auth_ident_file defines the maps.",
			 "there is no map \"%.100s\"", token->text + 4);
	return false;
}

static bool no_comma(struct hba_reader *reader, const struct token *token)
{
	if (token->comma)
		pgm_config_error(reader->problems, token->place, NULL, "\"%.100s\" can't be part of a list",
				 token->text);
	return !token->comma;
}

static void read_rule(struct hba_reader *reader, token_list *tokens, void *data)
{
	static const char *const types[] = {"local", "host", "hostssl", "hostnossl"};
	const struct token *first = tokens->items;
	struct pgm_hba_rule rule = {.file = first->place.file, .line = first->place.line};
	struct name_request databases = {&rule.databases, true, 0, first->place.file, true};
	struct name_request users = {&rule.users, false, 0, first->place.file, true};
	(void)data;
	size_t type = 0;
	while (type < 4 && !is_word(first, types[type]))
		type++;
	if (type == 4) {
		pgm_config_error(reader->problems, first->place,
				 pgm_config_did_you_mean(reader->problems, first->text, types, 4),
				 "there is no connection type \"%.100s\"", first->text);
		return;
	}
	rule.type = (enum pgm_hba_type)type;
	if (!no_comma(reader, first))
		return;
	size_t at = read_names(reader, tokens, 1, &databases);
	if (!databases.ok)
		return;
	at = read_names(reader, tokens, at, &users);
	for (size_t i = at; users.ok && i < tokens->count; i++)
		users.ok = no_comma(reader, &tokens->items[i]);
	if (!users.ok || (rule.type != PGM_HBA_LOCAL && !(at = read_address(reader, tokens, at, &rule))))
		return;
	if (line_ends(reader, tokens, at, "the method") ||
	    !read_method(reader, &tokens->items[at], &rule.method))
		return;
	if (rule.method == PGM_AUTH_PEER && rule.type != PGM_HBA_LOCAL) {
		pgm_config_error(reader->problems, tokens->items[at].place, NULL,
				 "peer goes with local alone");
		return;
	}
	if (rule.method == PGM_AUTH_CERT && rule.type != PGM_HBA_HOSTSSL && rule.type != PGM_HBA_HOST) {
		pgm_config_error(reader->problems, tokens->items[at].place, NULL,
				 "cert needs TLS: hostssl or host");
		return;
	}
	for (at++; at < tokens->count; at++)
		if (!read_map_option(reader, &tokens->items[at], &rule))
			return;
	*pgm_vec_add(reader->arena, &reader->rules) = rule;
}

static void read_mapping(struct hba_reader *reader, token_list *tokens, void *data)
{
	const struct token *words = tokens->items;
	(void)data;
	for (size_t i = 0; i < tokens->count; i++)
		if (!no_comma(reader, &words[i]))
			return;
	if (line_ends(reader, tokens, 1, "the system user") ||
	    line_ends(reader, tokens, 2, "the database user"))
		return;
	if (tokens->count > 3) {
		pgm_config_error(reader->problems, words[3].place, NULL,
				 "a line is map, system user and database user; this is one word too many");
		return;
	}
	for (size_t i = 1; i < 3; i++)
		if (!words[i].quoted && (*words[i].text == '/' || *words[i].text == '+')) {
			pgm_config_error(reader->problems, words[i].place, NULL,
					 "regular expressions and groups are not supported");
			return;
		}
	struct growing_map *map = NULL;
	for (size_t i = 0; i < reader->maps.count && !map; i++)
		if (strcmp(reader->maps.items[i]->name, words[0].text) == 0)
			map = (struct growing_map *)reader->maps.items[i];
	if (!map) {
		map = PGM_NEW(reader->arena, struct growing_map);
		map->map.name = words[0].text;
		*pgm_vec_add(reader->arena, &reader->maps) = &map->map;
	}
	*pgm_vec_add(reader->arena, &map->mappings) =
		(struct pgm_hba_mapping){words[1].text, is_word(&words[2], "all") ? NULL : words[2].text};
	map->map.mappings = map->mappings.items;
	map->map.count = map->mappings.count;
}

struct pgm_hba *pgm_hba_read(struct pgm_arena *arena, const struct pgm_config_text *hba,
			     const struct pgm_config_text *ident, bool may_include,
			     struct pgm_config_problems *problems)
{
	struct hba_reader reader = {.arena = arena, .problems = problems, .may_include = may_include};
	if (ident)
		read_lines(&reader, ident, read_mapping, NULL);
	read_lines(&reader, hba, read_rule, NULL);
	struct pgm_hba *result = PGM_NEW(arena, struct pgm_hba);
	result->rules = reader.rules.items;
	result->count = reader.rules.count;
	if (!result->count && !problems->errors)
		pgm_config_warning(problems, (struct pgm_config_place){hba->path, 0, 0}, NULL,
				   "the file has no rule: nobody may log in");
	return result;
}
