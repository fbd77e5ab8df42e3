#include "postgres.h"
#include "sequence.h"
void kluster_sequences_defined(void) {}
void kluster_sequence_init(void) {}
