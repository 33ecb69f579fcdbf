#ifndef BW_BASE_PROCESS_H
#define BW_BASE_PROCESS_H

/* Brings the process_* metrics of this process up to date (CPU, memory, descriptors, start), as Prometheus' client
 * libraries name them. Linux: from /proc. Call before bw_metrics_write. */
void bw_process_meter(void);

#endif
