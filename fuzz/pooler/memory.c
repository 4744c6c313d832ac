/*
 * Runs pool_frontend's inputs over and over, and each time another allocation of the pooler fails, until
 * every one did: memory FOLDER... A failure may end a client or a server, and nothing else: what a client is
 * told until then is right, the others are served, and nothing is left.
 */
#include "harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t run_file(const char *path)
{
	static uint8_t data[1 << 16];
	FILE *stream = fopen(path, "rb");
	if (!stream)
		return 0;
	size_t size = fread(data, 1, sizeof(data), stream), count = 0;
	fclose(stream);
	for (size_t lasting = 1; lasting <= 4; lasting += 3) {
		bool any = true;
		for (size_t at = 0; any; at++) {
			harness_memory_short(at, lasting);
			LLVMFuzzerTestOneInput(data, size);
			any = harness_memory_failed() > 0;
			count += any;
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	size_t files = 0, failures = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (!folder)
			continue;
		for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
			char path[4096];
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] == '.')
				continue;
			failures += run_file(path);
			files++;
		}
		closedir(folder);
	}
	printf("%zu files, %zu failures\n", files, failures);
	return failures ? EXIT_SUCCESS : EXIT_FAILURE;
}
