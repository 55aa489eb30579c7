/* cpu.h - which instruction sets this processor, operating system and build allow together. */
#ifndef ATTEND_SRC_CPU_H
#define ATTEND_SRC_CPU_H

#include "attend/attend.h"

/* True if the processor has the ISA's instructions and the operating system saves its registers. */
bool cpu_supports(AttendIsa isa);

/* cpu_supports() and kernels of that ISA are in this build. */
bool cpu_usable(AttendIsa isa);

/* Asks the operating system for what it gives a process only on request, which for AMX is the state
 * of its tiles; true if the usable ISA can now run in every thread of the process. Asking again is
 * cheap. */
bool cpu_enable(AttendIsa isa);

/* The widest ISA for a precision that is usable and enabled: in fp32 AVX512 at most, since wider
 * ones add nothing there. SCALAR is always usable. */
AttendIsa cpu_best(AttendPrecision precision);

/* The processor's brand string, "" if unknown. */
void cpu_brand(char *text, size_t size);

/* Size of a data cache (level 1, 2, 3) in bytes, 0 if unknown. */
size_t cpu_cache_bytes(int level);

#endif
