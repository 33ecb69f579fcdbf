#ifndef BW_BASE_LIMITS_H
#define BW_BASE_LIMITS_H

/* Every ceiling of the program, one line of reason each. What an operator may change is in the configuration; these are
 * its defaults, or the bounds that no setting lifts. */

#define BW_KIB 1024ULL
#define BW_MIB (1024ULL * BW_KIB)
#define BW_GIB (1024ULL * BW_MIB)

/* documents */
#define BW_MAX_MANIFEST_BYTES         (4 * BW_MIB)   /* registries themselves refuse larger ones */
#define BW_MAX_CONFIG_BLOB_BYTES      (8 * BW_MIB)   /* history of a thousand layers fits */
#define BW_MAX_BUNDLE_BYTES           (16 * BW_MIB)  /* a 10 MB bundle of whitelists must load */
#define BW_MAX_SETTINGS_BYTES         (1 * BW_MIB)   /* a ConfigMap is not larger */
#define BW_MAX_ANALYSIS_BYTES         (256 * BW_MIB) /* an analysis document of a million files */
#define BW_MAX_JSON_DEPTH             512            /* Kubernetes objects nest below 100 */
#define BW_MAX_MANIFEST_DEPTH         32             /* OCI documents nest below 10 */
#define BW_MAX_YAML_NODES             2000000        /* aliases multiply: bounds the tree, not the text */
#define BW_MAX_REVIEW_BYTES           (24 * BW_MIB)  /* a pod full of '<' reaches 18 MB on UPDATE */
#define BW_MAX_REVIEW_VALUES          500000 /* jansson takes 200 bytes a value; objects that etcd stores stay below */
#define BW_MAX_NAMESPACE_REVIEW_BYTES (8 * BW_MIB)   /* etcd stores 1.5 MiB of each; two of them, 256 KiB sixfold */
#define BW_MAX_CAUSE_BYTES            1024           /* one text of a Status: 64 causes of three texts are answered */
#define BW_MAX_POD_IMAGES             4096           /* in one object; its containers would not fit a node */
#define BW_MAX_BODIES_IN_FLIGHT       (128 * BW_MIB) /* request bodies held at a time: five of the largest */
#define BW_MAX_BUNDLE_REVIEWS         (64 * BW_MIB)  /* bodies that wait: five full ConfigMaps on UPDATE */
#define BW_MAX_TOKEN_BYTES            (64 * BW_KIB)  /* registry tokens of Azure reach 10 KiB */
#define BW_MAX_CREDENTIALS            1000           /* entries of one image pull secret */
#define BW_MAX_CERTIFICATES           16             /* in one ca.crt: two while a CA is exchanged */

/* kubeconfig */
#define BW_MAX_KUBECONFIG_BYTES  (8 * BW_MIB) /* one file; a thousand clusters with their CAs */
#define BW_MAX_KUBECONFIGS       64           /* files merged into one; nobody has more */
#define BW_MAX_EXEC_ARGUMENTS    1000         /* of a program that gives credentials, and as much of its environment */
#define BW_MAX_EXEC_OUTPUT_BYTES (1 * BW_MIB) /* what it may write: a token, or a certificate with its chain */

/* what is watched in the API server */
#define BW_MAX_WATCHED_BYTES    (8 * BW_MIB)   /* one object: a ConfigMap of 1 MiB of '<' comes as 6 MiB */
#define BW_MAX_LIST_FRAME_BYTES (64 * BW_KIB)  /* a list but for its items: a continue token has hundreds of bytes */
#define BW_MAX_PAGE_BYTES       (2 * BW_GIB)   /* 500 of the largest ConfigMaps; they pass one by one */
#define BW_MAX_PAGES            10000          /* of one list; ends a server that always has one more */
#define BW_MAX_WATCHED_OBJECTS  200000         /* remembered at 250 bytes each; clusters stop at 150,000 pods */
#define BW_MAX_METADATA_BYTES   (512 * BW_KIB) /* of one object: 256 KiB of annotations are allowed, and labels */
#define BW_MAX_METADATA_KEPT    (32 * BW_MIB)  /* of one kind: 2,000 namespaces take 1 MiB */

/* HTTP */
#define BW_MAX_HTTP_HEAD_BYTES (64 * BW_KIB) /* all headers of one answer */
#define BW_HTTP_BUFFER_BYTES   (1 * BW_MIB)  /* of a body, between libcurl and its reader */
#define BW_MAX_TRUST_BYTES     (4 * BW_MIB)  /* the system's CAs are 250 KiB */

/* metrics */
#define BW_METRIC_SERIES_MAX 1000 /* label values come from requests; a scrape stays below 1 MB */

/* settings */
#define BW_MAX_SELECTORS  256  /* each is asked for every image, with two expressions for every label */
#define BW_MAX_EXEMPTIONS 1000 /* each is asked for every image; more is a policy, not an exemption */

/* admissions that are remembered, to be explained */
#define BW_MAX_LEDGER_ENTRIES     1024           /* an hour of a busy cluster's denials, minutes of its admits */
#define BW_MAX_LEDGER_ENTRY_BYTES (256 * BW_KIB) /* a pod of a hundred images of two platforms */
#define BW_MAX_LEDGER_BYTES       (8 * BW_MIB)   /* of all entries; most have 2 KiB */
#define BW_MAX_LEDGER_SETS        4              /* sets of bundles that they hold, of which three are old */
#define BW_MAX_EXPLAIN_QUEUE      8              /* explanations that wait; people ask for them one by one */
#define BW_MAX_EXPLAINED_FINDINGS 200000         /* of one answer, 100 MB; images behind it are named alone */

/* admissions that were answered before their images were known, of each loop */
#define BW_MAX_LATE       256           /* their verdicts come within minutes; of more nothing is told */
#define BW_MAX_LATE_BYTES (64 * BW_MIB) /* most hold 100 KiB */

/* references */
#define BW_MAX_REFERENCE_BYTES  4096 /* a pod may write anything; a valid one is below 512 */
#define BW_MAX_REPOSITORY_BYTES 255  /* distribution specification */
#define BW_MAX_TAG_BYTES        128  /* distribution specification */

/* images */
#define BW_MAX_VARIANTS           64            /* images of one index for one question; published ones have 20 */
#define BW_MAX_TAGS               16384         /* remembered with their earlier images: 10 MiB on disk */
#define BW_MAX_INNER_INDEXES      8             /* indexes within an index, on each of two levels */
#define BW_MAX_LAYERS             512           /* runtimes stop at 127 of overlayfs; room for odd builders */
#define BW_MAX_LAYER_BYTES        (4 * BW_GIB)  /* compressed */
#define BW_MAX_IMAGE_BYTES        (10 * BW_GIB) /* compressed, refused before the download */
#define BW_MAX_LAYER_UNPACKED     (16 * BW_GIB)
#define BW_MAX_IMAGE_UNPACKED     (32 * BW_GIB)
#define BW_MAX_INFLATE_RATIO      200            /* once 64 MiB were produced */
#define BW_MAX_ENTRIES            1000000        /* 150 bytes each: 150 MiB */
#define BW_MAX_PATH_BYTES         4096           /* PATH_MAX: longer ones exist on no node */
#define BW_MAX_NAME_BYTES         255            /* NAME_MAX */
#define BW_MAX_LINK_HOPS          40             /* as the kernel */
#define BW_MAX_PARENT_HOPS        255            /* as container runtimes */
#define BW_MAX_TAR_EXTENDED       (1 * BW_MIB)   /* one PAX or GNU long payload */
#define BW_MAX_TAR_EXTENDED_LAYER (256 * BW_MIB) /* all of a layer */
#define BW_MAX_GATHERED_BYTES     (16 * BW_MIB)  /* one file kept whole for a cataloger */
#define BW_MAX_KEPT_BYTES         (256 * BW_MIB) /* all files kept of an image */
#define BW_MAX_PACKAGES           200000
#define BW_MAX_SECRET_HITS        10000
#define BW_MAX_HIT_LINES          1000    /* per file and pattern */
#define BW_MAX_VERIFICATIONS      2000000 /* expected files of all packages: two per entry */
#define BW_MAX_LICENSES           10000   /* expressions of one package; the longest known list has 300 */
#define BW_MAX_NEEDS              10000   /* patterns or paths that all bundles together ask for */
#define BW_MAX_MALWARE            100000  /* findings that a scanner reports of one image */
#define BW_MAX_REMARKS            1000    /* warnings, and kinds of incomplete data, of one analysis */
#define BW_ANALYSIS_CPU_S         300
#define BW_ANALYSIS_WALL_S        900

/* regular expressions: a pattern that needs more is an error of its rule, never a hang */
#define BW_REGEX_MATCH_LIMIT      1000000
#define BW_REGEX_MATCH_LIMIT_LONG 10000000 /* of a text past 256 bytes, where the clock counts as well */
#define BW_REGEX_DEPTH_LIMIT      100000   /* without JIT only; one repeat of a group nests one deeper */
#define BW_REGEX_HEAP_KIB         (16 * 1024)
#define BW_REGEX_CPU_MS           1000 /* of one match in a longer text, where one step may be long too */
#define BW_MAX_REGEX_BYTES        (32 * BW_KIB)
#define BW_MAX_LINE_BYTES         (1 * BW_MIB) /* a longer line is searched this far */

/* bundles */
#define BW_MAX_PROBLEMS         1000          /* faults listed one by one; nobody reads more */
#define BW_MAX_WARNINGS         200           /* remarks listed one by one */
#define BW_MAX_BUNDLE_VALUES    1000000       /* JSON values: 200 MB in work; 10 MB of whitelists have 600,000 */
#define BW_MAX_BUNDLE_MAP_BYTES (64 * BW_MIB) /* texts of one ConfigMap: its 1 MiB may inflate a thousandfold */
#define BW_MAX_BUNDLE_MAP_KEYS  1000          /* of one ConfigMap; policies of an organisation are dozens */
#define BW_MAX_BUNDLES          1000          /* known at a time, good or not */
#define BW_MAX_BUNDLES_BYTES    (32 * BW_MIB) /* texts of all bundles held, two of the largest: 200 MB compiled */
#define BW_MAX_BUNDLE_SOURCES   1000          /* ConfigMaps of other namespaces; the own namespace is trusted */

/* tests of bundles */
#define BW_MAX_TEST_BYTES    (4 * BW_MIB) /* cases with their facts in place; larger analyses are files of their own */
#define BW_MAX_TEST_CASES    5000         /* of one file; the largest recorded group has 2,800 */
#define BW_MAX_TEST_FINDINGS 1000         /* expected of one case; each is compared with every finding */
#define BW_MAX_TEST_FILES    10000        /* found in folders: more is a folder named by mistake */
#define BW_MAX_FOLDER_DEPTH  32           /* of folders in folders */

/* arenas */
#define BW_ARENA_ADMISSION  (64 * BW_MIB)  /* decoded object, images, findings of one request */
#define BW_ARENA_KUBECONFIG (64 * BW_MIB)  /* texts of all files, and what is taken out of them */
#define BW_ARENA_BUNDLE     (512 * BW_MIB) /* one compiled bundle */
#define BW_ARENA_REPORT     (1 * BW_GIB)   /* one analysis in memory */
#define BW_ARENA_EVALUATION (256 * BW_MIB) /* one evaluation: findings of a million files stop here */

#endif
