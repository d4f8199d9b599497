// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent: PID 1 in the guest, a plain program on the host. */
int main(void)
{
	return 0;
}
