/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's watchdog, /dev/watchdog: hardware that resets it unless it is written to. */
#ifndef HB_WATCHDOG_DEVICE_H
#define HB_WATCHDOG_DEVICE_H

#include "bench/base/util.h"

/*
 * Have the watchdog reset this machine when its kernel hangs, and @ns from now in any case: a
 * process of its own writes to it until then. Its id, for watchdog_release(); -ENOENT: there is
 * none; -EBUSY: another process, systemd perhaps, has it; other errors as open(2), fork(2).
 */
pid_t watchdog_hold(uint64_t ns, struct hb_error *e);
/* Switch it off again, where the driver lets go. */
void watchdog_release(pid_t holder);
/*
 * Have it reset this machine @seconds from now, or as late as the device can; nothing writes to it
 * until watchdog_hold() or watchdog_disarm(). -errno: there is none that is free.
 */
int watchdog_arm(unsigned int seconds);
void watchdog_disarm(void);
/* Did a watchdog reset the machine before this boot? As far as its driver knows. */
bool watchdog_has_fired(void);

#endif
