-- Private tables of the job engine. The public side of a job is its row in cluster_general_job_log.

-- What a job is and how far it has come; one row for ever per job.
CREATE TABLE kluster_jobs (
  job_id BIGINT UNSIGNED NOT NULL COMMENT 'cluster_general_job_log.id',
  job_type VARCHAR(128) NOT NULL,
  phase ENUM('queued', 'forward', 'undoing', 'ended') NOT NULL DEFAULT 'queued',
  user_name VARCHAR(128) NOT NULL,
  locks JSON NOT NULL COMMENT 'names of the locks it holds until it ends; kept afterwards as history',
  sealed_paras LONGTEXT NOT NULL COMMENT 'checked parameters, encrypted',
  paras LONGTEXT NOT NULL COMMENT 'JSON: checked parameters without secrets',
  prepared LONGTEXT NULL COMMENT 'JSON: what the mission decided before its first step',
  idempotency_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NULL,
  request_digest VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
  past_point_of_no_return BOOLEAN NOT NULL DEFAULT FALSE,
  error LONGTEXT NULL COMMENT 'JSON {kind, code, message, hint}: why it failed or is being undone',
  notes LONGTEXT NOT NULL COMMENT 'JSON array of texts',
  retry_of BIGINT UNSIGNED NULL,
  progress TINYINT UNSIGNED NOT NULL DEFAULT 0,
  submitted_at DATETIME(3) NOT NULL,
  started_at DATETIME(3) NULL,
  ended_at DATETIME(3) NULL,
  PRIMARY KEY (job_id),
  UNIQUE KEY idempotency_key (idempotency_key),
  KEY unfinished (phase, job_id),
  KEY job_type (job_type, job_id),
  KEY retry_of (retry_of)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- next
CREATE TABLE kluster_job_steps (
  job_id BIGINT UNSIGNED NOT NULL,
  path VARCHAR(512) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position INT UNSIGNED NOT NULL COMMENT 'order in the plan',
  title TEXT NOT NULL,
  weight DOUBLE NOT NULL,
  state ENUM('waiting', 'running', 'done', 'failed', 'undoing', 'undone', 'undo_failed', 'skipped') NOT NULL,
  attempt INT UNSIGNED NOT NULL DEFAULT 0,
  started_at DATETIME(3) NULL,
  ended_at DATETIME(3) NULL,
  reason LONGTEXT NULL,
  output LONGTEXT NULL COMMENT 'JSON',
  PRIMARY KEY (job_id, path)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- next
CREATE TABLE kluster_job_events (
  job_id BIGINT UNSIGNED NOT NULL,
  sequence INT UNSIGNED NOT NULL COMMENT 'from 1 within the job, without gaps',
  at DATETIME(3) NOT NULL,
  event LONGTEXT NOT NULL COMMENT 'JSON',
  PRIMARY KEY (job_id, sequence)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- next
-- A job begins when no unfinished job with a smaller id has a row with one of its lock names.
CREATE TABLE kluster_job_locks (
  lock_name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
  job_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (lock_name, job_id),
  KEY job_id (job_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
