/*
 * topology_json.c: reads the topology that the manager sends.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "topology_json.h"

static void
refuse(const char *path, const char *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("topology: \"%s\" %s", path, rule)));
}

/* The member `key`; NULL when it is absent or null. `path` is what errors call it. */
static JsonbValue *
member(JsonbContainer *object, const char *key)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, key, (int) strlen(key), NULL);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static char *
text_member(JsonbContainer *object, const char *key, const char *path)
{
	JsonbValue *value = member(object, key);

	if (value == NULL || value->type != jbvString)
		refuse(path, "must be a string");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static uint64
number_member(JsonbContainer *object, const char *key, const char *path, uint64 highest)
{
	JsonbValue *value = member(object, key);
	int64		number;

	if (value == NULL || value->type != jbvNumeric)
		refuse(path, "must be a number");
	number = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
	if (number < 0 || (uint64) number > highest)
		refuse(path, psprintf("must be between 0 and " UINT64_FORMAT, highest));
	return (uint64) number;
}

static bool
flag_member(JsonbContainer *object, const char *key, const char *path)
{
	JsonbValue *value = member(object, key);

	if (value == NULL || value->type != jbvBool)
		refuse(path, "must be true or false");
	return value->val.boolean;
}

/* The object `key`; NULL when it is absent or null. */
static JsonbContainer *
object_member(JsonbContainer *object, const char *key)
{
	JsonbValue *value = member(object, key);

	if (value == NULL)
		return NULL;
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		refuse(key, "must be an object");
	return value->val.binary.data;
}

/* The objects of the array `key`. */
static JsonbContainer **
object_list(JsonbContainer *object, const char *key, const char *path, int *count)
{
	JsonbValue *value = member(object, key);
	JsonbContainer *array;
	JsonbContainer **items;

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		refuse(path, "must be an array");
	array = value->val.binary.data;
	*count = (int) JsonContainerSize(array);
	items = palloc(sizeof(JsonbContainer *) * (*count + 1));
	for (int i = 0; i < *count; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(array, i);

		if (item->type != jbvBinary || !JsonContainerIsObject(item->val.binary.data))
			refuse(psprintf("%s[%d]", path, i), "must be an object");
		items[i] = item->val.binary.data;
	}
	return items;
}

static KlusterNode
read_node(JsonbContainer *object, const char *path)
{
	KlusterNode node;

	node.id = (uint32) number_member(object, "id", psprintf("%s.id", path), PG_UINT32_MAX);
	node.host = text_member(object, "host", psprintf("%s.host", path));
	node.port = (uint16) number_member(object, "port", psprintf("%s.port", path), PG_UINT16_MAX);
	node.primary = flag_member(object, "primary", psprintf("%s.primary", path));
	return node;
}

static KlusterShard
read_shard(JsonbContainer *object, const char *path)
{
	KlusterShard shard;
	JsonbContainer **nodes;

	shard.id = (uint32) number_member(object, "id", psprintf("%s.id", path), PG_UINT32_MAX);
	shard.name = text_member(object, "name", psprintf("%s.name", path));
	nodes = object_list(object, "nodes", psprintf("%s.nodes", path), &shard.node_count);
	shard.nodes = palloc(sizeof(KlusterNode) * (shard.node_count + 1));
	shard.primary = NULL;
	for (int i = 0; i < shard.node_count; i++)
	{
		shard.nodes[i] = read_node(nodes[i], psprintf("%s.nodes[%d]", path, i));
		if (!shard.nodes[i].primary)
			continue;
		if (shard.primary != NULL)
			refuse(psprintf("%s.nodes", path), "must have one primary at most");
		shard.primary = &shard.nodes[i];
	}
	return shard;
}

static int
compare_shards(const void *one, const void *other)
{
	uint32		left = ((const KlusterShard *) one)->id;
	uint32		right = ((const KlusterShard *) other)->id;

	return left < right ? -1 : left > right;
}

static void
read_shards(JsonbContainer *root, KlusterTopology *topology)
{
	JsonbContainer **shards = object_list(root, "shards", "shards", &topology->shard_count);

	topology->shards = palloc(sizeof(KlusterShard) * (topology->shard_count + 1));
	for (int i = 0; i < topology->shard_count; i++)
		topology->shards[i] = read_shard(shards[i], psprintf("shards[%d]", i));
	qsort(topology->shards, topology->shard_count, sizeof(KlusterShard), compare_shards);
	for (int i = 1; i < topology->shard_count; i++)
		if (topology->shards[i].id == topology->shards[i - 1].id)
			refuse("shards", psprintf("must not name shard %u twice", topology->shards[i].id));
}

static void
read_comps(JsonbContainer *root, KlusterTopology *topology)
{
	JsonbContainer **comps;

	topology->comps = NULL;
	topology->comp_count = 0;
	if (member(root, "comps") == NULL)
		return;
	comps = object_list(root, "comps", "comps", &topology->comp_count);
	topology->comps = palloc(sizeof(KlusterComp) * (topology->comp_count + 1));
	for (int i = 0; i < topology->comp_count; i++)
	{
		KlusterComp *comp = &topology->comps[i];
		char	   *path = psprintf("comps[%d]", i);

		comp->id = (uint32) number_member(comps[i], "id", psprintf("%s.id", path), PG_UINT32_MAX);
		comp->name = text_member(comps[i], "name", psprintf("%s.name", path));
		comp->host = text_member(comps[i], "host", psprintf("%s.host", path));
		comp->port = (uint16) number_member(comps[i], "port", psprintf("%s.port", path), PG_UINT16_MAX);
	}
}

static void
read_metadata(JsonbContainer *root, KlusterTopology *topology)
{
	JsonbContainer *metadata = object_member(root, "metadata");

	if (metadata == NULL)
		return;
	topology->metadata_host = text_member(metadata, "host", "metadata.host");
	topology->metadata_port = (uint16) number_member(metadata, "port", "metadata.port", PG_UINT16_MAX);
	topology->metadata_user = text_member(metadata, "user", "metadata.user");
	topology->metadata_password = text_member(metadata, "password", "metadata.password");
	topology->metadata_database = text_member(metadata, "database", "metadata.database");
}

KlusterTopology *
kluster_read_topology(Jsonb *document)
{
	KlusterTopology *topology = palloc0(sizeof(KlusterTopology));
	JsonbContainer *root = &document->root;
	JsonbContainer *account;

	if (!JsonContainerIsObject(root))
		refuse("topology", "must be an object");
	topology->generation = number_member(root, "generation", "generation", PG_INT64_MAX);
	topology->cluster_id = (uint32) number_member(root, "cluster_id", "cluster_id", PG_UINT32_MAX);
	topology->cluster_name = text_member(root, "cluster_name", "cluster_name");
	topology->comp_id = (uint32) number_member(root, "comp_id", "comp_id", PG_UINT32_MAX);
	topology->comp_name = text_member(root, "comp_name", "comp_name");
	account = object_member(root, "account");
	if (account == NULL)
		refuse("account", "must be an object");
	topology->user = text_member(account, "user", "account.user");
	topology->password = text_member(account, "password", "account.password");
	read_metadata(root, topology);
	read_shards(root, topology);
	read_comps(root, topology);
	return topology;
}
