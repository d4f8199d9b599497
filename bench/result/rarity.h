/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a number of events, zero above all, says about how often they happen. Pure functions. */
#ifndef HB_RARITY_H
#define HB_RARITY_H

/*
 * Upper limit, at @level (0.95), of the rate of a Poisson process that showed @events in @exposure:
 * the rate at which so few or fewer are seen with probability 1 - @level. It is
 * chi2_quantile(level, 2 events + 2) / (2 exposure) (F. Garwood, "Fiducial Limits for the Poisson
 * Distribution", Biometrika 28, 1936, 437-442). Without an event that is -ln(1 - level) / exposure,
 * 2.996 / exposure at 95 %, the "rule of three" (J. A. Hanley, A. Lippman-Hand, "If Nothing Goes
 * Wrong, Is Everything All Right?", JAMA 249, 1983, 1743-1745). Per unit of @exposure; NAN when the
 * exposure is not above 0 or the level not inside (0, 1).
 */
double rarity_rate(unsigned int events, double exposure, double level);
/*
 * Upper limit, at @level, of the probability of an event per trial after @events in @trials: the
 * quantile @level of Beta(events + 1, trials - events) (C. J. Clopper, E. S. Pearson, "The Use of
 * Confidence or Fiducial Limits Illustrated in the Case of the Binomial", Biometrika 26, 1934,
 * 404-413); without an event 1 - (1 - level)^(1 / trials). 1 when every trial had one; NAN without
 * a trial, with more events than trials, or a level not inside (0, 1).
 */
double rarity_probability(unsigned int events, unsigned int trials, double level);

#endif
