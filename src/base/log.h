/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to base: who this process is, for the messages of log.c and err.c.
 */
#ifndef LW_BASE_LOG_H
#define LW_BASE_LOG_H

/** Rank given to lw_log_setup or lw_log_rank_set; 0 before. */
int lw_log_rank(void);

#endif
