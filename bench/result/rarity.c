// SPDX-License-Identifier: GPL-2.0-or-later
#include <gsl/gsl_cdf.h>
#include <math.h>

#include "bench/result/rarity.h"

double rarity_rate(unsigned int events, double exposure, double level)
{
	if (!(exposure > 0) || !(level > 0 && level < 1))
		return NAN;
	return gsl_cdf_chisq_Pinv(level, 2.0 * events + 2) / (2 * exposure);
}

double rarity_probability(unsigned int events, unsigned int trials, double level)
{
	if (!trials || events > trials || !(level > 0 && level < 1))
		return NAN;
	if (events == trials)
		return 1;
	return gsl_cdf_beta_Pinv(level, events + 1.0, (double)trials - events);
}
