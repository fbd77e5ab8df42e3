/*
 * ddl_work.h: definitions that reach beyond this PostgreSQL: statements for
 * shards, and the log that the other compute nodes follow.
 *
 * MySQL commits every definition at once, PostgreSQL at the end of the
 * transaction. The two are held together by the log and by intents:
 *
 *   1. The first definition of a transaction takes the lock DDL at the metadata
 *      server, so one transaction of the whole cluster defines at a time. It ends
 *      what a dead holder left behind (5.), and waits until this compute node has
 *      applied the whole log.
 *   2. Before a statement goes to a shard, an intent is stored in the metadata
 *      database: how to take it back, and what is to be done once it is certain.
 *      Then the statement is executed. Destructive ones are not executed now;
 *      there is only the intent.
 *   3. When PostgreSQL is about to commit, the log entries are appended, and
 *      intents that need nothing more are deleted, in one MySQL transaction. ITS
 *      COMMIT is the commit of the definition. When the transaction has written
 *      rows, its decision (commit_log.h) is inserted in that same MySQL
 *      transaction, so both are committed or none. The number of the entry is stored
 *      in the same PostgreSQL transaction as the definition itself.
 *   4. After the commit what was put off (DROP TABLE) is executed and the rest of
 *      the intents deleted. After a rollback the statements are taken back.
 *   5. Whoever takes the lock finds the intents of a holder that died: of a token
 *      with log entries, what was put off is done; of a token without, what was
 *      done is taken back. Both bear repetition: what is taken back carries the
 *      intent's mark in the comment of the table, which the statement set.
 *
 * When the process dies
 *   - before 2. or between intent and statement: the mark is not there, nothing is taken back.
 *   - between 2. and 3.: taken back by the next holder. PostgreSQL rolled back by itself.
 *   - between 3. and PostgreSQL's commit: the definition is committed in the log, so
 *     this compute node applies its own entry like those of others (its stored
 *     number is lower). The client got no answer, or an error that says so.
 *   - between 4.'s steps: the next holder does the rest.
 * When the metadata server is lost before 3., the transaction fails and the intents are
 * taken back by the next holder; when it is lost during 3.'s COMMIT, the outcome
 * is whatever the log says, as after a death.
 */
#ifndef KLUSTER_DDL_WORK_H
#define KLUSTER_DDL_WORK_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "table_shape.h"

/* Takes the lock and brings this compute node up to date; nothing when the transaction has it already. */
extern void kluster_work_begin(void);

/* A mark for the comment of the next table that is created or altered. */
extern char *kluster_work_mark(void);

/*
 * The mark that the table has now, when this transaction has created or altered it, otherwise "". Whatever takes back the
 * next statement has to restore it: what came before that one is only taken back from a table that has it.
 */
extern const char *kluster_work_standing_mark(uint32 shard, const char *database, const char *table);

/*
 * Executes `sql` at a shard now. `undo` takes it back, if the table has the comment `mark` (NULL, NULL: nothing to
 * take back). What is put off is executed once the transaction is committed, on the table by the name that
 * it has then: later statements of the transaction may give it another.
 */
typedef struct KlusterWork
{
	uint32		shard;
	const char *sql;
	const char *undo;
	const char *database;		/* the table, by its name after `sql`; NULL: it is not about one */
	const char *table;
	const char *former_database;	/* its name before, when `sql` renames it; otherwise NULL */
	const char *former_table;
	const char *mark;
	const char *put_off;		/* KLUSTER_DROP_TABLE, or what to ALTER of the table; NULL: nothing */
	const char *at_commit;		/* a whole statement that is put off; NULL: none, or it is about the table */
} KlusterWork;

#define KLUSTER_DROP_TABLE "DROP TABLE IF EXISTS"

extern void kluster_work_do(const KlusterWork *work);

/* A table whose DROP is put off to the commit is in the way of a new one: is there such a DROP? */
extern bool kluster_work_drops(uint32 shard, const char *database, const char *table);

/* Gives the table whose DROP is put off another name, so that its name is free. */
extern void kluster_work_set_aside(uint32 shard, const char *database, const char *table);

/* What the log keeps of a definition. */
typedef struct KlusterLogEntry
{
	const char *object_name;
	const char *schema;
	const char *object_type;	/* of the enum objtype */
	const char *operation;		/* of the enum optype */
	const char *source;			/* SQL that the other compute nodes execute */
	const char *settings;		/* JSON object of settings that matter for it; NULL: none */
	uint32		shard;			/* where the tables are that it creates; 0: none, or all */
} KlusterLogEntry;

/* Adds to the log when the transaction commits. */
extern void kluster_work_log(const KlusterLogEntry *entry);

/*
 * The sequence starts anew with this transaction: where it is when that commits, it is in the whole cluster, by a
 * statement in the MySQL transaction that appends to the log.
 */
extern void kluster_work_restart(Oid sequence);

/* Does it? Until the commit only this transaction can draw from it, and from this PostgreSQL alone. */
extern bool kluster_work_restarts(Oid sequence);

/* Have entries been sent to the log whose MySQL transaction is still open? Rows must be committed in two phases then. */
extern bool kluster_work_is_open(void);

/* Commits that MySQL transaction. False: its outcome is not known, or it was lost before. */
extern bool kluster_work_commit(TimestampTz until);

/* Identifies the transaction's definitions in the whole cluster; on replay the one of the entry. */
extern uint64 kluster_work_token(void);

/*
 * Registers callbacks, once, while the module is loaded. What is registered
 * last is called first. The log must be written before the rows are committed
 * (_first: after kluster_transaction_init()); tables can only be dropped when
 * the remote transactions have let go of them (_last: before it).
 */
extern void kluster_work_init_last(void);
extern void kluster_work_init_first(void);

#endif
