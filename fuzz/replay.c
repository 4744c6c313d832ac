/*
 * Runs a fuzz target over files: replay FOLDER... For the corpora as unit tests, where there is no libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *stream = fopen(path, "rb");
	if (!stream)
		return -1;
	static uint8_t data[1 << 20];
	size_t size = fread(data, 1, sizeof(data), stream);
	fclose(stream);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	int files = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (!folder)
			continue;
		for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
			char path[4096];
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] != '.' && replay_file(path) == 0)
				files++;
		}
		closedir(folder);
	}
	printf("%d files\n", files);
	return files ? EXIT_SUCCESS : EXIT_FAILURE;
}
