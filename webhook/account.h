#ifndef BW_WEBHOOK_ACCOUNT_H
#define BW_WEBHOOK_ACCOUNT_H

#include "webhook/admit.h"
#include "webhook/subject.h"

/* What is told of admissions: a line of the log (K-1102), and metrics (K-1101). Safe from all threads. */

/* admits: log.admits of the configuration. */
void bw_account_admission(const struct bw_admit_result *result, const char *admits, int64_t took_ms,
                          int64_t deadline_ms);
void bw_account_deadline(const struct bw_admit_result *result); /* its time was over */
void bw_account_gone(int64_t took_ms);                          /* nobody reads the answer */
/* Images that it admitted are stopped by policy now. message: the denial that it would have been. */
void bw_account_late(const struct bw_admit_result *result, const char *message);
/* What became of the images of an admission that is decided. */
void bw_account_images(const struct bw_subject *subjects, size_t n_subjects);
/* When exemptions end: of the configuration that is in force from now on. old: the one before; NULL: none was. */
void bw_account_exemptions(const struct bw_config *old, const struct bw_config *now);

#endif
