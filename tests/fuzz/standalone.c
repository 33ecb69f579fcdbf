/* Replays files through a fuzz target under any compiler: every argument is a file or a folder of files. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    struct stat st;
    uint8_t *bytes = fstat(fileno(file), &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    if (bytes != NULL) {
        size_t size = fread(bytes, 1, (size_t)st.st_size, file);
        (void)LLVMFuzzerTestOneInput(bytes, size);
        replayed++;
    }
    free(bytes);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            replay_file(argv[i]);
            continue;
        }
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            char path[4096];
            int length = snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof(path)) {
                replay_file(path);
            }
        }
        (void)closedir(folder);
    }
    printf("%lu inputs replayed\n", replayed);
    return replayed == 0;
}
