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

-- ddl

-- Which entries of the log of definitions this database ('database'), and this compute node ('node', in database postgres), has.
CREATE TABLE kluster.ddl_progress (
	scope text PRIMARY KEY,
	op_id bigint NOT NULL
);
REVOKE ALL ON kluster.ddl_progress FROM PUBLIC;
