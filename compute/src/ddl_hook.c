/*
 * ddl_hook.c: sees every utility statement, and makes definitions reach the whole
 * cluster: tables become sharded tables, and the others follow.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"

#include "ddl_alter.h"
#include "ddl_applied.h"
#include "ddl_create.h"
#include "ddl_drop.h"
#include "ddl_entry.h"
#include "ddl_foreign_key.h"
#include "ddl_hook.h"
#include "ddl_index.h"
#include "ddl_replay.h"
#include "ddl_settings.h"
#include "ddl_shards.h"
#include "ddl_storage.h"
#include "ddl_track.h"
#include "ddl_work.h"
#include "foreign_key.h"
#include "sequence.h"
#include "sequence_store.h"
#include "table_shape.h"

/* A statement as the hook gets it. */
typedef struct Call
{
	PlannedStmt *planned;
	const char *source;
	bool		read_only;
	ProcessUtilityContext context;
	ParamListInfo parameters;
	QueryEnvironment *environment;
	DestReceiver *destination;
	QueryCompletion *completion;
} Call;

static ProcessUtility_hook_type previous_hook = NULL;

/* How many statements are in each other: what is within one is not logged by itself. */
static int	depth = 0;

/* The statement whose parts execute_part() executes. */
static const Call *current = NULL;

static void
pass_on(const Call *call)
{
	ProcessUtility_hook_type next = previous_hook ? previous_hook : standard_ProcessUtility;

	next(call->planned, call->source, call->read_only, call->context, call->parameters, call->environment,
		 call->destination, call->completion);
}

/* Executes what a statement consists of; PostgreSQL alone sees it. */
static void
execute_part(Node *statement)
{
	PlannedStmt *planned = makeNode(PlannedStmt);

	planned->commandType = CMD_UTILITY;
	planned->canSetTag = false;
	planned->utilityStmt = statement;
	planned->stmt_location = current->planned->stmt_location;
	planned->stmt_len = current->planned->stmt_len;
	standard_ProcessUtility(planned, current->source, false, PROCESS_UTILITY_SUBCOMMAND, current->parameters,
							current->environment, None_Receiver, NULL);
}

/* Is this database one of the cluster, and is this compute node in it? */
static bool
is_in_cluster(void)
{
	if (kluster_local_ddl || creating_extension || !IsUnderPostmaster || IsBinaryUpgrade || !IsTransactionState())
		return false;
	return OidIsValid(get_foreign_server_oid(KLUSTER_SERVER, true)) && kluster_can_follow();
}

/* Does this statement concern the cluster, in this database? */
static bool
concerns_cluster(Node *statement)
{
	return GetCommandLogLevel(statement) == LOGSTMT_DDL && is_in_cluster() && kluster_is_logged(statement);
}

static Oid
named_relation(const RangeVar *name)
{
	return name == NULL ? InvalidOid : RangeVarGetRelid(name, NoLock, true);
}

static void
complete(const Call *call, CommandTag tag, uint64 rows)
{
	if (call->completion != NULL)
		SetQueryCompletion(call->completion, tag, rows);
}

static void
track_schema(const char *schema)
{
	Oid			namespace = get_namespace_oid(schema, true);
	ListCell   *cell;

	if (OidIsValid(namespace))
		foreach(cell, kluster_sharded_tables_of(namespace))
			kluster_track_change(lfirst_oid(cell));
}

static void
rename_object(const Call *call, RenameStmt *statement)
{
	Oid			relid = named_relation(statement->relation);

	if (statement->renameType == OBJECT_DATABASE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a database of the cluster cannot be renamed"),
				 errhint("The MySQL databases of its tables carry its name. Create another, and copy.")));
	if (statement->renameType == OBJECT_SCHEMA)
		track_schema(statement->subname);
	if (OidIsValid(relid))
		kluster_track_change_of_all(get_rel_relkind(relid) == RELKIND_PARTITIONED_INDEX ? kluster_table_of_index(relid) : relid);
	pass_on(call);
}

static void
define_index(const Call *call, IndexStmt *statement)
{
	Oid			relid = named_relation(statement->relation);

	if (!OidIsValid(relid) || !kluster_has_own_indexes(relid))
	{
		pass_on(call);
		return;
	}
	(void) kluster_define_index(relid, statement);
	complete(call, CMDTAG_CREATE_INDEX, 0);
}

static void
alter_table(const Call *call, AlterTableStmt *statement)
{
	Oid			relid = named_relation(statement->relation);

	if (OidIsValid(relid) && (statement->objtype == OBJECT_TABLE || statement->objtype == OBJECT_FOREIGN_TABLE) &&
		kluster_has_own_indexes(relid))
		kluster_alter_table(relid, statement, call->source, execute_part);
	else
		pass_on(call);
}

static void
create_database(const Call *call, CreatedbStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "template") == 0 && option->arg != NULL &&
			strcmp(defGetString(option), "template1") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a database of the cluster is made from template1, not from \"%s\"", defGetString(option)),
					 errhint("Leave TEMPLATE out.")));
	}
	pass_on(call);
}

static void
drop_database(const Call *call, DropdbStmt *statement)
{
	if (kluster_replaying())
	{
		/* Sessions of this compute node cannot keep what the others do not have any more. */
		statement->missing_ok = true;
		statement->options = list_make1(makeDefElem("force", NULL, -1));
	}
	pass_on(call);
	if (!kluster_replaying())
		kluster_drop_database_at_shards(statement->dbname);
}

static void
create_table(const Call *call, CreateStmt *statement, KlusterLogEntry *entry)
{
	entry->shard = kluster_create_table(statement, call->source, execute_part);
	complete(call, CMDTAG_CREATE_TABLE, 0);
}

/* PostgreSQL wants sharded tables called foreign tables, which nobody does who made them with CREATE TABLE. */
static void
name_kind(Node *statement)
{
	ObjectType *type = IsA(statement, CommentStmt) ? &castNode(CommentStmt, statement)->objtype :
		&castNode(SecLabelStmt, statement)->objtype;
	Node	   *object = IsA(statement, CommentStmt) ? castNode(CommentStmt, statement)->object :
		castNode(SecLabelStmt, statement)->object;
	Oid			relid;

	if (*type != OBJECT_TABLE)
		return;
	relid = named_relation(makeRangeVarFromNameList(castNode(List, object)));
	if (OidIsValid(relid) && kluster_is_sharded(relid))
		*type = OBJECT_FOREIGN_TABLE;
}

/* As pg_dump writes it: a managed table is made at its shard, any other is there already. */
static void
create_foreign_table(const Call *call, CreateForeignTableStmt *statement)
{
	pass_on(call);
	CommandCounterIncrement();
	kluster_track_creation(RangeVarGetRelid(statement->base.relation, NoLock, true));
}

static void
create_table_as(const Call *call, CreateTableAsStmt *statement, KlusterLogEntry *entry)
{
	char	   *definition = NULL;
	uint64		rows = 0;

	if (statement->objtype != OBJECT_TABLE)
	{
		pass_on(call);
		return;
	}
	entry->shard = kluster_create_table_as(statement, call->source, execute_part, &definition, &rows);
	entry->source = definition;
	complete(call, CMDTAG_SELECT, rows);
}

/* Executes a statement that concerns the cluster. */
static void
define(const Call *call, KlusterLogEntry *entry)
{
	Node	   *statement = call->planned->utilityStmt;

	switch (nodeTag(statement))
	{
		case T_CreateStmt:
			create_table(call, castNode(CreateStmt, statement), entry);
			break;
		case T_CreateTableAsStmt:
			create_table_as(call, castNode(CreateTableAsStmt, statement), entry);
			break;
		case T_CreateForeignTableStmt:
			create_foreign_table(call, (CreateForeignTableStmt *) statement);
			break;
		case T_DropStmt:
			if (kluster_names_sharded(castNode(DropStmt, statement)))
				kluster_drop_tables(castNode(DropStmt, statement));
			else
				pass_on(call);
			break;
		case T_AlterTableStmt:
			alter_table(call, castNode(AlterTableStmt, statement));
			break;
		case T_IndexStmt:
			define_index(call, castNode(IndexStmt, statement));
			break;
		case T_RenameStmt:
			rename_object(call, castNode(RenameStmt, statement));
			break;
		case T_AlterObjectSchemaStmt:
			if (OidIsValid(named_relation(castNode(AlterObjectSchemaStmt, statement)->relation)))
				kluster_track_change_of_all(named_relation(castNode(AlterObjectSchemaStmt, statement)->relation));
			pass_on(call);
			break;
		case T_CommentStmt:
		case T_SecLabelStmt:
			name_kind(statement);
			pass_on(call);
			break;
		case T_AlterSeqStmt:
			kluster_adapt_sequence_change(castNode(AlterSeqStmt, statement));
			pass_on(call);
			kluster_sequence_altered(castNode(AlterSeqStmt, statement));
			break;
		case T_CreatedbStmt:
			create_database(call, castNode(CreatedbStmt, statement));
			break;
		case T_DropdbStmt:
			drop_database(call, castNode(DropdbStmt, statement));
			break;
		default:
			pass_on(call);
			break;
	}
}

/* With the lock, and the log afterwards, when it is the outermost. */
static void
define_and_log(const Call *call)
{
	bool		outermost = depth == 0;
	bool		log = outermost && !kluster_replaying();
	KlusterLogEntry entry = {0};
	const Call *outer = current;

	if (log)
	{
		entry = kluster_read_entry(call->planned, call->source);
		kluster_work_begin();
	}
	kluster_track_begin();
	depth++;
	current = call;
	PG_TRY();
	{
		define(call, &entry);
		kluster_sequences_defined();
	}
	PG_CATCH();
	{
		depth--;
		current = outer;
		kluster_track_end(true);
		PG_RE_THROW();
	}
	PG_END_TRY();
	depth--;
	current = outer;
	kluster_track_end(false);
	if (log && entry.source != NULL)
		kluster_work_log(&entry);
}

/* Statements about rows that PostgreSQL would execute in another way than a cluster has to. */
static bool
handle_rows(Call *call)
{
	Node	   *statement = call->planned->utilityStmt;

	if (!IsA(statement, CopyStmt) && !IsA(statement, VacuumStmt) && !IsA(statement, TruncateStmt) && !IsA(statement, LockStmt))
		return false;
	if (!is_in_cluster())
		return false;
	if (IsA(statement, CopyStmt))
		kluster_note_copy(castNode(CopyStmt, statement));
	if (IsA(statement, LockStmt))
		kluster_check_lock(castNode(LockStmt, statement));
	if (IsA(statement, TruncateStmt))
	{
		kluster_check_truncate(castNode(TruncateStmt, statement));
		pass_on(call);
		if (castNode(TruncateStmt, statement)->restart_seqs)
			kluster_identities_restarted(castNode(TruncateStmt, statement)->relations);
		return true;
	}
	if (!kluster_is_storage_statement(statement))
		return false;
	call->planned = copyObject(call->planned);
	if (kluster_adapt_storage_statement(call->planned->utilityStmt))
		pass_on(call);
	else
		complete(call, CMDTAG_VACUUM, 0);
	return true;
}

/* A table that is linked to others stays where they are. */
static void
check_route(Node *statement)
{
	Oid			relid;
	ListCell   *cell;

	if (!IsA(statement, AlterTableStmt))
		return;
	foreach(cell, castNode(AlterTableStmt, statement)->cmds)
	{
		if (lfirst_node(AlterTableCmd, cell)->subtype != AT_GenericOptions)
			continue;
		relid = named_relation(castNode(AlterTableStmt, statement)->relation);
		if (OidIsValid(relid) && kluster_is_sharded(relid))
			kluster_check_unlinked(relid, "get other options");
	}
}

static void
see_statement(PlannedStmt *planned, const char *source, bool read_only, ProcessUtilityContext context,
			  ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *destination,
			  QueryCompletion *completion)
{
	Call		call = {planned, source, read_only, context, parameters, environment, destination, completion};

	if (handle_rows(&call))
		return;
	check_route(planned->utilityStmt);
	if (!concerns_cluster(planned->utilityStmt))
	{
		pass_on(&call);
		return;
	}
	if (read_only)
	{
		/* Others may execute the same tree again. */
		call.planned = copyObject(planned);
		call.read_only = false;
	}
	PreventCommandIfReadOnly(GetCommandTagName(CreateCommandTag(planned->utilityStmt)));
	define_and_log(&call);
}

void
kluster_ddl_hook_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = see_statement;
}
