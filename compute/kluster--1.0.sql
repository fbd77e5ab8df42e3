\echo Use "CREATE EXTENSION kluster" to load this file. \quit

REVOKE ALL ON SCHEMA kluster FROM PUBLIC;
GRANT USAGE ON SCHEMA kluster TO PUBLIC;

-- topology

-- One row, in database postgres only; holds passwords, so nobody but the owner may read it.
CREATE TABLE kluster.topology (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	generation bigint NOT NULL,
	document jsonb NOT NULL
);
REVOKE ALL ON kluster.topology FROM PUBLIC;

CREATE FUNCTION kluster.set_topology(topology jsonb) RETURNS boolean
	AS 'MODULE_PATHNAME', 'kluster_set_topology' LANGUAGE C STRICT;
REVOKE ALL ON FUNCTION kluster.set_topology(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kluster.set_topology(jsonb) IS
	'Stores and publishes where the shards are; true when that was news. For the manager.';

CREATE FUNCTION kluster.cluster(
		OUT generation bigint, OUT cluster_id bigint, OUT cluster_name text, OUT comp_id bigint, OUT comp_name text)
	RETURNS SETOF record AS 'MODULE_PATHNAME', 'kluster_show_cluster' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION kluster.cluster() IS 'The cluster and this compute node, as the manager last said; no row before that.';

CREATE FUNCTION kluster.shards(OUT id bigint, OUT name text)
	RETURNS SETOF record AS 'MODULE_PATHNAME', 'kluster_show_shards' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION kluster.shards() IS 'The shards of the cluster.';

CREATE FUNCTION kluster.shard_nodes(
		OUT shard_id bigint, OUT id bigint, OUT host text, OUT port integer, OUT is_primary boolean)
	RETURNS SETOF record AS 'MODULE_PATHNAME', 'kluster_show_nodes' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION kluster.shard_nodes() IS 'The storage nodes of the cluster.';

CREATE FUNCTION kluster.compute_nodes(OUT id bigint, OUT name text, OUT host text, OUT port integer)
	RETURNS SETOF record AS 'MODULE_PATHNAME', 'kluster_show_comps' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION kluster.compute_nodes() IS 'The compute nodes of the cluster.';

-- storage access

CREATE FUNCTION kluster.kluster_fdw_handler() RETURNS fdw_handler
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
CREATE FUNCTION kluster.kluster_fdw_validator(text[], oid) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
CREATE FOREIGN DATA WRAPPER kluster_fdw
	HANDLER kluster.kluster_fdw_handler VALIDATOR kluster.kluster_fdw_validator;
CREATE SERVER kluster FOREIGN DATA WRAPPER kluster_fdw;
GRANT USAGE ON FOREIGN SERVER kluster TO PUBLIC;

-- transactions

CREATE FUNCTION kluster.execute_on_shard(shard bigint, statement text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'kluster_direct_execute' LANGUAGE C STRICT;
REVOKE ALL ON FUNCTION kluster.execute_on_shard(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION kluster.execute_on_shard(bigint, text) IS
	'Executes a MySQL statement on a shard, in this transaction; the number of rows. For superusers.';

CREATE FUNCTION kluster.define_on_shard(shard bigint, statement text) RETURNS void
	AS 'MODULE_PATHNAME', 'kluster_direct_define' LANGUAGE C STRICT;
REVOKE ALL ON FUNCTION kluster.define_on_shard(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION kluster.define_on_shard(bigint, text) IS
	'Executes a MySQL statement that defines something on a shard, at once and for good. For superusers.';

CREATE FUNCTION kluster.query_on_shard(shard bigint, statement text) RETURNS SETOF text[]
	AS 'MODULE_PATHNAME', 'kluster_direct_query' LANGUAGE C STRICT;
REVOKE ALL ON FUNCTION kluster.query_on_shard(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION kluster.query_on_shard(bigint, text) IS
	'The rows of a MySQL SELECT on a shard, in this transaction. For superusers.';

CREATE FUNCTION kluster.query_server(host text, port integer, statement text) RETURNS SETOF text[]
	AS 'MODULE_PATHNAME', 'kluster_direct_query_server' LANGUAGE C STRICT;
REVOKE ALL ON FUNCTION kluster.query_server(text, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION kluster.query_server(text, integer, text) IS
	'The rows of a MySQL SELECT on a server that need not be a shard yet. For superusers.';

-- ddl

-- Which entries of the log of definitions this database ('database'), and this compute node ('node', in database postgres), has.
CREATE TABLE kluster.ddl_progress (
	scope text PRIMARY KEY,
	op_id bigint NOT NULL
);
REVOKE ALL ON kluster.ddl_progress FROM PUBLIC;

-- Entries of the log that an administrator has left out here, by kluster.skip_ddl().
CREATE TABLE kluster.ddl_skipped (
	op_id bigint PRIMARY KEY,
	statement text NOT NULL,
	error text NOT NULL,
	reason text NOT NULL,
	skipped_by name NOT NULL DEFAULT session_user,
	when_skipped timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON kluster.ddl_skipped FROM PUBLIC;

-- Which sequence of this database is which of the cluster.
CREATE TABLE kluster.sequences (
	relid oid PRIMARY KEY,
	id text NOT NULL
);
REVOKE ALL ON kluster.sequences FROM PUBLIC;

CREATE FUNCTION kluster.nextval(sequence regclass) RETURNS bigint
	AS 'MODULE_PATHNAME', 'kluster_nextval' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION kluster.nextval_identity(sequence regclass) RETURNS bigint
	AS 'MODULE_PATHNAME', 'kluster_nextval_identity' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION kluster.setval(sequence regclass, value bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'kluster_setval' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION kluster.setval(sequence regclass, value bigint, called boolean) RETURNS bigint
	AS 'MODULE_PATHNAME', 'kluster_setval_called' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION kluster.nextval_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'kluster_nextval_support' LANGUAGE C STRICT;
ALTER FUNCTION pg_catalog.nextval(regclass) SUPPORT kluster.nextval_support;
ALTER FUNCTION pg_catalog.setval(regclass, bigint) SUPPORT kluster.nextval_support;
ALTER FUNCTION pg_catalog.setval(regclass, bigint, boolean) SUPPORT kluster.nextval_support;

CREATE FUNCTION kluster.shown_kind(relation oid, kind "char") RETURNS "char"
	AS 'MODULE_PATHNAME', 'kluster_shown_kind' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION kluster.shown_kind(oid, "char") IS
	'What queries read as pg_class.relkind: sharded tables are shown as tables, unless kluster.show_foreign_tables is on.';
CREATE FUNCTION kluster.shown_triggers(relation oid, triggers boolean) RETURNS boolean
	AS 'MODULE_PATHNAME', 'kluster_shown_triggers' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION kluster.shown_triggers(oid, boolean) IS
	'What queries read as pg_class.relhastriggers: also true for sharded tables with foreign keys, for those who look for these only then.';

-- Views under the names that existing tools look for. They find them without a schema whatever search_path is: in pg_catalog.
SET LOCAL allow_system_table_mods = on;

CREATE VIEW pg_catalog.pg_shard AS
	SELECT s.name::name AS name, s.id::oid AS id,
			(SELECT count(*) FROM kluster.shard_nodes() n WHERE n.shard_id = s.id)::smallint AS num_nodes,
			(SELECT min(n.id) FROM kluster.shard_nodes() n WHERE n.shard_id = s.id AND n.is_primary)::oid AS master_node_id,
			0::integer AS space_volumn,
			(SELECT count(*) FROM pg_catalog.pg_foreign_table t JOIN pg_catalog.pg_foreign_server f ON f.oid = t.ftserver
				WHERE f.srvname = 'kluster'
				AND t.ftoptions && ARRAY['shard=' || s.id, 'shard=all'])::integer AS num_tablets,
			(SELECT c.cluster_id FROM kluster.cluster() c)::integer AS db_cluster_id,
			NULL::timestamptz AS when_created
		FROM kluster.shards() s;
COMMENT ON VIEW pg_catalog.pg_shard IS 'The shards of the cluster; num_tablets: sharded tables of this database.';

-- What tools write as ro_weight. It is kept for them, and means nothing: rows are read from primaries.
CREATE TABLE kluster.ro_weights (
	node_id bigint PRIMARY KEY,
	weight smallint NOT NULL
);
REVOKE ALL ON kluster.ro_weights FROM PUBLIC;

CREATE VIEW pg_catalog.pg_shard_node AS
	SELECT n.id::oid AS id, n.port, n.shard_id::oid AS shard_id, 0::oid AS svr_node_id, COALESCE(w.weight, 0::smallint) AS ro_weight,
			0::smallint AS ping, 0::smallint AS latency, NULL::name AS user_name, n.host AS hostaddr, NULL::text AS passwd,
			NULL::timestamptz AS when_created
		FROM kluster.shard_nodes() n LEFT JOIN kluster.ro_weights w ON w.node_id = n.id;
COMMENT ON VIEW pg_catalog.pg_shard_node IS 'The storage nodes of the cluster; accounts are not shown.';

CREATE FUNCTION kluster.keep_ro_weight() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF to_jsonb(NEW) - 'ro_weight' <> to_jsonb(OLD) - 'ro_weight' THEN
		RAISE EXCEPTION 'only ro_weight of pg_shard_node can be changed' USING ERRCODE = 'feature_not_supported',
			HINT = 'The cluster manager knows the nodes.';
	END IF;
	INSERT INTO kluster.ro_weights VALUES (NEW.id::bigint, NEW.ro_weight)
		ON CONFLICT (node_id) DO UPDATE SET weight = EXCLUDED.weight;
	RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION kluster.keep_ro_weight() FROM PUBLIC;

CREATE TRIGGER keep_ro_weight INSTEAD OF UPDATE ON pg_catalog.pg_shard_node
	FOR EACH ROW EXECUTE FUNCTION kluster.keep_ro_weight();

CREATE VIEW pg_catalog.pg_cluster_meta AS
	SELECT c.comp_id::oid AS comp_node_id, c.cluster_id::oid AS cluster_id, 0::oid AS cluster_master_id, c.cluster_name::name AS cluster_name,
			c.comp_name::name AS comp_node_name
		FROM kluster.cluster() c;
COMMENT ON VIEW pg_catalog.pg_cluster_meta IS 'The cluster and this compute node.';

CREATE FUNCTION kluster.metadata_node(OUT host text, OUT port integer) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'kluster_show_metadata' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION kluster.metadata_node() IS 'Where the primary of the metadata cluster is; no row when that is not known.';

CREATE VIEW pg_catalog.pg_cluster_meta_nodes AS
	SELECT 1::oid AS server_id, c.cluster_id::oid AS cluster_id, true AS is_master, m.port, NULL::name AS user_name, m.host AS hostaddr,
			NULL::text AS passwd
		FROM kluster.metadata_node() m, kluster.cluster() c;
COMMENT ON VIEW pg_catalog.pg_cluster_meta_nodes IS 'The metadata server that this compute node uses; accounts are not shown.';

CREATE FUNCTION kluster.ddl_position(OUT applied bigint, OUT newest bigint, OUT following boolean) RETURNS record
	AS 'MODULE_PATHNAME', 'kluster_show_ddl_position' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION kluster.ddl_position() IS
	'How far this compute node has followed the log of definitions: the last entry that it applied, and the last that it saw.';

CREATE FUNCTION kluster.ddl_failure(OUT op_id bigint, OUT database text, OUT statement text, OUT error text, OUT attempts integer,
	OUT since timestamptz, OUT next_attempt timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'kluster_show_ddl_failure' LANGUAGE C STRICT VOLATILE;
REVOKE ALL ON FUNCTION kluster.ddl_failure() FROM PUBLIC;
COMMENT ON FUNCTION kluster.ddl_failure() IS
	'The entry of the log of definitions that cannot be applied on this compute node, and stops all that comes after it.';

CREATE FUNCTION kluster.retry_ddl() RETURNS void
	AS 'MODULE_PATHNAME', 'kluster_retry_ddl' LANGUAGE C STRICT VOLATILE;
REVOKE ALL ON FUNCTION kluster.retry_ddl() FROM PUBLIC;
COMMENT ON FUNCTION kluster.retry_ddl() IS 'Tries the definition that fails at once. For superusers.';

CREATE FUNCTION kluster.skip_ddl(op_id bigint, reason text) RETURNS void
	AS 'MODULE_PATHNAME', 'kluster_skip_ddl' LANGUAGE C STRICT VOLATILE;
REVOKE ALL ON FUNCTION kluster.skip_ddl(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION kluster.skip_ddl(bigint, text) IS
	'Leaves out the definition that fails, on this compute node, and records it in kluster.ddl_skipped. For superusers.';

CREATE VIEW pg_catalog.pg_ddl_log_progress AS
	SELECT d.oid AS dbid, p.newest AS ddl_op_id, p.applied AS max_op_id_done_local
		FROM pg_catalog.pg_database d, kluster.ddl_position() p
		WHERE d.datname = current_database();
COMMENT ON VIEW pg_catalog.pg_ddl_log_progress IS 'How far this compute node has followed the log of definitions.';

GRANT SELECT ON pg_catalog.pg_shard, pg_catalog.pg_shard_node, pg_catalog.pg_cluster_meta, pg_catalog.pg_cluster_meta_nodes,
	pg_catalog.pg_ddl_log_progress TO PUBLIC;
RESET allow_system_table_mods;
