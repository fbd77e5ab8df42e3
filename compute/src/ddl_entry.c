/*
 * ddl_entry.c: what the log keeps of a statement.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "libpq/crypt.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/queryjumble.h"

#include "ddl_entry.h"

/* Settings that decide what the text of a definition means. */
static const char *const meaningful_settings[] = {"TimeZone", "DateStyle", "IntervalStyle", "standard_conforming_strings"};

static bool
is_temporary_relation(const RangeVar *name)
{
	Oid			relid;

	if (name == NULL)
		return false;
	if (name->relpersistence == RELPERSISTENCE_TEMP)
		return true;
	relid = RangeVarGetRelid(name, NoLock, true);
	return OidIsValid(relid) && get_rel_persistence(relid) == RELPERSISTENCE_TEMP;
}

/* Whether what is created under this name becomes temporary. */
static bool
becomes_temporary(const RangeVar *name)
{
	if (name->relpersistence == RELPERSISTENCE_TEMP)
		return true;
	if (name->schemaname != NULL)
		return strcmp(name->schemaname, "pg_temp") == 0 || strncmp(name->schemaname, "pg_temp_", strlen("pg_temp_")) == 0;
	return isTempNamespace(RangeVarGetCreationNamespace(name));
}

static bool
is_drop_of_temporary(const DropStmt *drop)
{
	int			temporary = 0;
	ListCell   *cell;

	switch (drop->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_INDEX:
		case OBJECT_SEQUENCE:
			break;
		default:
			return false;
	}
	foreach(cell, drop->objects)
		if (is_temporary_relation(makeRangeVarFromNameList(lfirst(cell))))
			temporary++;
	if (temporary > 0 && temporary < list_length(drop->objects))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot drop temporary objects and others in one statement")));
	return temporary > 0;
}

bool
kluster_is_temporary(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateStmt:
			return becomes_temporary(castNode(CreateStmt, statement)->relation);
		case T_CreateTableAsStmt:
			return becomes_temporary(castNode(CreateTableAsStmt, statement)->into->rel);
		case T_CreateSeqStmt:
			return becomes_temporary(castNode(CreateSeqStmt, statement)->sequence);
		case T_ViewStmt:
			return becomes_temporary(castNode(ViewStmt, statement)->view);
		case T_DropStmt:
			return is_drop_of_temporary(castNode(DropStmt, statement));
		case T_AlterTableStmt:
			return is_temporary_relation(castNode(AlterTableStmt, statement)->relation);
		case T_IndexStmt:
			return is_temporary_relation(castNode(IndexStmt, statement)->relation);
		case T_RenameStmt:
			return is_temporary_relation(castNode(RenameStmt, statement)->relation);
		case T_AlterObjectSchemaStmt:
			return is_temporary_relation(castNode(AlterObjectSchemaStmt, statement)->relation);
		case T_AlterSeqStmt:
			return is_temporary_relation(castNode(AlterSeqStmt, statement)->sequence);
		case T_CreateTrigStmt:
			return is_temporary_relation(castNode(CreateTrigStmt, statement)->relation);
		case T_RuleStmt:
			return is_temporary_relation(castNode(RuleStmt, statement)->relation);
		case T_CommentStmt:
			{
				CommentStmt *comment = castNode(CommentStmt, statement);

				if (comment->objtype == OBJECT_TABLE || comment->objtype == OBJECT_VIEW || comment->objtype == OBJECT_SEQUENCE)
					return is_temporary_relation(makeRangeVarFromNameList(castNode(List, comment->object)));
				return false;
			}
		default:
			return false;
	}
}

/* Kinds of objects that each server has for itself. */
static bool
is_of_server(ObjectType type)
{
	return type == OBJECT_TABLESPACE || type == OBJECT_PUBLICATION || type == OBJECT_SUBSCRIPTION ||
		type == OBJECT_PUBLICATION_NAMESPACE || type == OBJECT_PUBLICATION_REL;
}

/* Is the statement about an object that each server has for itself? */
static bool
concerns_server(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropStmt:
			return is_of_server(castNode(DropStmt, statement)->removeType);
		case T_RenameStmt:
			return is_of_server(castNode(RenameStmt, statement)->renameType);
		case T_AlterOwnerStmt:
			return is_of_server(castNode(AlterOwnerStmt, statement)->objectType);
		case T_CommentStmt:
			return is_of_server(castNode(CommentStmt, statement)->objtype);
		case T_GrantStmt:
			return is_of_server(castNode(GrantStmt, statement)->objtype);
		case T_SecLabelStmt:
			return is_of_server(castNode(SecLabelStmt, statement)->objtype);
		default:
			return false;
	}
}

bool
kluster_is_logged(Node *statement)
{
	switch (nodeTag(statement))
	{
			/* About this server alone, or not definitions though PostgreSQL logs them like such. */
		case T_AlterSystemStmt:
		case T_CreateTableSpaceStmt:
		case T_DropTableSpaceStmt:
		case T_AlterTableSpaceOptionsStmt:
		case T_AlterTableMoveAllStmt:
		case T_CreatePublicationStmt:
		case T_AlterPublicationStmt:
		case T_CreateSubscriptionStmt:
		case T_AlterSubscriptionStmt:
		case T_DropSubscriptionStmt:
		case T_ClusterStmt:
		case T_ReindexStmt:
		case T_ExplainStmt:
		case T_ExecuteStmt:
		case T_PrepareStmt:
		case T_DeclareCursorStmt:
		case T_ImportForeignSchemaStmt:
			return false;
		case T_CreateExtensionStmt:
			return strcmp(castNode(CreateExtensionStmt, statement)->extname, "kluster") != 0;
		case T_AlterExtensionStmt:
			/* Each compute node has the version of its own library: update.c. */
			return strcmp(castNode(AlterExtensionStmt, statement)->extname, "kluster") != 0;
		case T_AlterTableStmt:
			/* A route: the manager tells every compute node itself. */
			{
				ListCell   *cell;

				foreach(cell, castNode(AlterTableStmt, statement)->cmds)
					if (lfirst_node(AlterTableCmd, cell)->subtype == AT_GenericOptions)
						return false;
				break;
			}
		default:
			break;
	}
	return GetCommandLogLevel(statement) == LOGSTMT_DDL && !concerns_server(statement) && !kluster_is_temporary(statement);
}

static RangeVar *
relation_of(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
			return ((CreateStmt *) statement)->relation;
		case T_CreateTableAsStmt:
			return castNode(CreateTableAsStmt, statement)->into->rel;
		case T_AlterTableStmt:
			return castNode(AlterTableStmt, statement)->relation;
		case T_IndexStmt:
			return castNode(IndexStmt, statement)->relation;
		case T_RenameStmt:
			return castNode(RenameStmt, statement)->relation;
		case T_CreateSeqStmt:
			return castNode(CreateSeqStmt, statement)->sequence;
		case T_AlterSeqStmt:
			return castNode(AlterSeqStmt, statement)->sequence;
		case T_ViewStmt:
			return castNode(ViewStmt, statement)->view;
		case T_AlterObjectSchemaStmt:
			return castNode(AlterObjectSchemaStmt, statement)->relation;
		case T_DropStmt:
			switch (castNode(DropStmt, statement)->removeType)
			{
				case OBJECT_TABLE:
				case OBJECT_VIEW:
				case OBJECT_INDEX:
				case OBJECT_SEQUENCE:
					return makeRangeVarFromNameList(linitial(castNode(DropStmt, statement)->objects));
				default:
					return NULL;
			}
		default:
			return NULL;
	}
}

/* Words of PostgreSQL's command tags, and how the log calls them. */
static const struct
{
	const char *word;
	const char *type;
}			object_types[] = {
	{"DATABASE", "db"}, {"INDEX", "index"}, {"MATERIALIZED", "matview"}, {"SCHEMA", "schema"}, {"SEQUENCE", "seq"},
	{"TABLE", "table"}, {"FOREIGN", "table"}, {"FUNCTION", "func"}, {"ROLE", "role_or_group"}, {"PROCEDURE", "proc"},
	{"STATISTICS", "stats"}, {"VIEW", "view"},
};

static void
name_operation(const char *tag, KlusterLogEntry *entry)
{
	const char *object = strchr(tag, ' ');

	entry->operation = "others";
	entry->object_type = "others";
	if (strncmp(tag, "CREATE ", 7) == 0)
		entry->operation = "create";
	else if (strncmp(tag, "ALTER ", 6) == 0)
		entry->operation = "alter";
	else if (strncmp(tag, "DROP ", 5) == 0)
		entry->operation = "drop";
	else if (strncmp(tag, "SELECT INTO", 11) == 0)
	{
		entry->operation = "create";
		entry->object_type = "table";
	}
	for (size_t i = 0; object != NULL && i < lengthof(object_types); i++)
		if (strncmp(object + 1, object_types[i].word, strlen(object_types[i].word)) == 0)
			entry->object_type = object_types[i].type;
}

static char *
settings_text(void)
{
	StringInfoData out;

	initStringInfo(&out);
	for (size_t i = 0; i < lengthof(meaningful_settings); i++)
	{
		const char *value = GetConfigOption(meaningful_settings[i], false, false);
		const char *usual = GetConfigOptionResetString(meaningful_settings[i]);

		if (strcmp(meaningful_settings[i], "TimeZone") == 0 || strcmp(value, usual) != 0)
			appendStringInfo(&out, "%s%s=%s", out.len > 0 ? ";" : "", meaningful_settings[i], value);
	}
	return out.data;
}

static DefElem *
password_of(Node *statement, const char **role)
{
	List	   *options = NIL;
	ListCell   *cell;

	if (IsA(statement, CreateRoleStmt))
	{
		options = castNode(CreateRoleStmt, statement)->options;
		*role = castNode(CreateRoleStmt, statement)->role;
	}
	else if (IsA(statement, AlterRoleStmt))
	{
		options = castNode(AlterRoleStmt, statement)->options;
		*role = get_rolespec_name(castNode(AlterRoleStmt, statement)->role);
	}
	foreach(cell, options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, "password") == 0 && lfirst_node(DefElem, cell)->arg != NULL)
			return lfirst_node(DefElem, cell);
	return NULL;
}

/* Where the plain literal that follows `from` begins; its length. NULL: it is written in another way. */
static const char *
plain_literal(const char *from, size_t *length)
{
	const char *start;
	const char *end;

	while (isalpha((unsigned char) *from))
		from++;
	while (isspace((unsigned char) *from))
		from++;
	if (pg_strncasecmp(from, "password", strlen("password")) == 0)
		from += strlen("password");
	while (isspace((unsigned char) *from))
		from++;
	if (*from != '\'')
		return NULL;
	start = from;
	for (end = start + 1; *end != '\0'; end++)
	{
		if (*end != '\'')
			continue;
		if (end[1] != '\'')
			break;
		end++;
	}
	*length = end - start + 1;
	return *end == '\0' ? NULL : start;
}

/* The log must not know passwords: what it needs is the verifier. */
static char *
without_password(Node *statement, const char *source, const char *text, int offset)
{
	const char *role = NULL;
	DefElem    *password = password_of(statement, &role);
	const char *literal;
	size_t		length;
	char	   *verifier;

	if (password == NULL || get_password_type(strVal(password->arg)) != PASSWORD_TYPE_PLAINTEXT)
		return pstrdup(text);
	literal = plain_literal(source + password->location, &length);
	if (literal == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the password of a role must be written as an ordinary literal, like 'secret'")));
	verifier = encrypt_password(PASSWORD_TYPE_SCRAM_SHA_256, role, strVal(password->arg));
	password->arg = (Node *) makeString(verifier);
	return psprintf("%s'%s'%s", pnstrdup(text, literal - (source + offset)), verifier,
					literal + length - source - offset + text);
}

KlusterLogEntry
kluster_read_entry(PlannedStmt *planned, const char *source)
{
	KlusterLogEntry entry = {.object_name = "", .schema = ""};
	RangeVar   *relation = relation_of(planned->utilityStmt);
	int			location = planned->stmt_location;
	int			length = planned->stmt_len;
	const char *start = CleanQuerytext(source, &location, &length);
	char	   *text = pnstrdup(start, length);

	if (relation != NULL)
	{
		entry.object_name = relation->relname;
		entry.schema = relation->schemaname != NULL ? relation->schemaname : "";
	}
	name_operation(GetCommandTagName(CreateCommandTag(planned->utilityStmt)), &entry);
	entry.source = without_password(planned->utilityStmt, source, text, (int) (start - source));
	entry.settings = settings_text();
	return entry;
}
