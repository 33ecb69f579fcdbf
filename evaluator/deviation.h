#ifndef BW_EVALUATOR_DEVIATION_H
#define BW_EVALUATOR_DEVIATION_H

#include <stdbool.h>
#include <stdint.h>

/* Rows of docs/anchore-differences.md that an evaluation or a load can apply. The numbers are part of that document. */
enum bw_row {
    BW_ROW_DIGEST_MAPPING = 4,    /* mappings of type digest and id are matched */
    BW_ROW_DIGEST_REFERENCE = 5,  /* references without a tag are matched */
    BW_ROW_TAG_AND_DIGEST = 6,    /* repository:tag@digest is read as such */
    BW_ROW_CONTAINED = 7,         /* a rule that cannot be evaluated stops alone */
    BW_ROW_REGEX_AT_LOAD = 8,     /* a bad pattern is refused at load */
    BW_ROW_DOCKER_HUB = 11,       /* either spelling of a Docker Hub repository */
    BW_ROW_CONTINUATION = 12,     /* continuation lines are joined */
    BW_ROW_ROOT = 14,             /* spellings of root; the configured user of a guessed Dockerfile */
    BW_ROW_PORTS = 15,            /* ranges, protocols, duplicates */
    BW_ROW_METADATA = 20,         /* value optional, impossible comparisons refused */
    BW_ROW_SECRET_NAME = 22,      /* the exact name */
    BW_ROW_LINE_START = 23,       /* start of a line or of a word */
    BW_ROW_ONCE = 25,             /* content_not_available fires once */
    BW_ROW_PASSWD_SHORT = 26,     /* fields that an entry lacks are skipped */
    BW_ROW_PASSWD_DUPLICATE = 27, /* every entry of a name is seen */
    BW_ROW_LICENSE = 28,          /* whole expressions too */
    BW_ROW_VERSION = 29,          /* version or full version */
    BW_ROW_ANY_RECORD = 30,       /* any record of a name satisfies */
    BW_ROW_VERSION_ORDER = 31,    /* orders of versions as their tools have them */
    BW_ROW_DIRECTORY = 33,        /* whole directories, no wildcards */
    BW_ROW_DIGESTS = 34,          /* apk digests are compared */
    BW_ROW_VENDOR_ONLY = 35,      /* vendor_only=false is honoured */
    BW_ROW_NO_DATA = 37,          /* missing vulnerability data is no absence of vulnerabilities */
    BW_ROW_RETIRED = 39,          /* retired gates are refused at load */
    BW_ROW_EMPTY_FILE = 43,       /* an empty stored file is empty */
    BW_ROW_UNREACHED = 44,        /* faults in parts that an image does not reach */
    BW_ROW_LENIENT = 45,          /* ids, mappings and lists that a document leaves out */
    BW_ROW_INCOMPLETE = 46,       /* data that the analysis skipped or cut */
    BW_ROW_ALIAS = 47,            /* a listed vulnerability id matches an alias */
    BW_ROW_COUNT
};

static inline void bw_rows_set(uint64_t bits[2], enum bw_row row)
{
    bits[(unsigned)row / 64] |= UINT64_C(1) << ((unsigned)row % 64);
}

static inline bool bw_rows_has(const uint64_t bits[2], unsigned row)
{
    return (bits[row / 64] >> (row % 64) & 1) != 0;
}

#endif
