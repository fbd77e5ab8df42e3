/*
 * sequence.h: sequences whose values no two compute nodes give out.
 */
#ifndef KLUSTER_SEQUENCE_H
#define KLUSTER_SEQUENCE_H

/* A definition was executed: sequences that it made are known from now on. */
extern void kluster_sequences_defined(void);

/* Called once, while the module is loaded. */
extern void kluster_sequence_init(void);

#endif
