/*
 * fault.h: places where a test can make this backend die or pause.
 *
 * `SET kluster.fault_point = 'after_decision'` kills the backend there, as
 * kill -9 does; 'after_decision:pause' makes it wait there for a while, so that the test
 * can kill something else. For superusers only; empty in real life.
 */
#ifndef KLUSTER_FAULT_H
#define KLUSTER_FAULT_H

extern char *kluster_fault_point;

extern void kluster_fault(const char *place);

#endif
