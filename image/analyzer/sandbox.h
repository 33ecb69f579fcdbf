#ifndef BW_IMAGE_ANALYZER_SANDBOX_H
#define BW_IMAGE_ANALYZER_SANDBOX_H

#include "base/error.h"

/*
 * Takes from this process, for good, all that reading an image does not need: no files, no network, no other programs,
 * no new executable memory; bounded CPU time, memory and descriptors. What it has open stays. To be called before the
 * first thread is started and before the first byte of the image is read. seccomp kills; Landlock is added where the
 * kernel has it.
 */
int bw_sandbox_enter(unsigned cpu_s, struct bw_error *err) BW_MUST_CHECK;

#endif
