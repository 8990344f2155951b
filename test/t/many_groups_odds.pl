# Job groups: what is refused, other jobs and roles, sources that do not give a snapshot, runs that meet the group, ids, cycles.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\nmax_connections = 20\n", destination => "timezone = 'UTC'\nmax_worker_processes = 20\n");
my $password = $TwoServers::password;
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub at_source { my ($sql) = @_; return $source->safe_psql('postgres', $sql) }
sub sql { return one_line($destination, 'verbose', @_) =~ s/in \d+\.\d s/in N s/gr }

on_both('CREATE TABLE a (id bigint PRIMARY KEY, at timestamptz NOT NULL, v int); CREATE TABLE b (id bigint PRIMARY KEY, at timestamptz NOT NULL, v int)', $source, $destination);
at_source("INSERT INTO a SELECT n, timestamptz '2018-07-28 00:00+00' + n * interval '1 hour', 1 FROM generate_series(0, 47) AS n; INSERT INTO b TABLE a");
my %common = (window_column => "'at'", first_day => "'2018-07-28'", time_zone => "'UTC'", lag => "now() - '2018-07-30 12:00+00'", job_group => "'g'");
sub create { my ($table, %option) = @_; return define_job($option{name} // $table, "SELECT * FROM $table", %common, target => "'$table'", map { ($_, $option{$_}) } grep { $_ ne 'name' } keys %option) }
sub begin { value('TRUNCATE a, b, pgci_runs, pgci_coverage, pgci_jobs, pgci_id_marks'); value(join ';', create('a'), create('b'), @_); return }
my $group = "CALL copy_incremental_catch_up(job_group => 'g')";
my $loaded = 'NOTICE:  00000: job "a": 2 windows, 48 rows  NOTICE:  00000: job "b": 2 windows, 48 rows';
my $snapshots = q[SELECT count(DISTINCT source_snapshot), count(source_snapshot), count(*) FROM copy_incremental_runs WHERE status = 'succeeded'];

# The definition
begin();
is(sql($group), $loaded, 'a group without foreign keys');
is(value($snapshots), '1|4|4', 'one snapshot');
fails_with($destination, create('a', job_group => "''"), '22023', qr/job_group must not be empty/, 'no name');
fails_with($destination, create('a', job_group => "repeat('x', 64)"), '22023', qr/is not a name/, 'a name that is too long');
fails_with($destination, create('a', job_group => "E'a\\nb'"), '22023', qr/is not a name/, 'a control character');
fails_with($destination, create('a', name => 'whole', window_size => 'NULL', window_column => 'NULL'), '22023', qr/job_group has no meaning for a job without windows/, 'a job without windows');
fails_with($destination, "SELECT copy_incremental('src', 'SELECT * FROM a', NULL, job_group => 'g')", '42883', qr/does not exist/, 'a call');
fails_with($destination, "CALL copy_incremental_catch_up('a', job_group => 'g')", '22023', qr/job and job_group cannot be used together/, 'job and group');
fails_with($destination, "CALL copy_incremental_catch_up(job_group => 'no')", '42704', qr/job group "no" does not exist/, 'no such group');
fails_with($destination, "BEGIN; $group", '2D000', qr/inside a transaction block/, 'a transaction block');
value("CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '" . $source->port . "', dbname 'template1'); CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (user 'etl_reader', password '$password')");
$source->safe_psql('template1', 'CREATE TABLE a (id bigint PRIMARY KEY, at timestamptz NOT NULL, v int)');
fails_with($destination, create('a', name => 'c', src_conninfo => "'other'"), '22023', qr/job "c" reads another source than job "a" of job group "g"/, 'another source');
value(create('a', name => 'c', src_conninfo => "'other'", job_group => 'NULL') . q[; UPDATE pgci_jobs SET options = options || '{"job_group": "g"}' WHERE job = 'c']);
begin(create('a', name => 'c', src_conninfo => "'other'", job_group => 'NULL') . q[; UPDATE pgci_jobs SET options = options || '{"job_group": "g"}' WHERE job = 'c']);
like(sql($group), qr/ERROR:  22023: 3 of 3 jobs failed.*job "a", window 2018-07-28: job "c" reads another source than job "a"/, 'another source at catch_up');

# A job by itself
begin();
is(sql("CALL copy_incremental_catch_up('a')"), 'NOTICE:  00000: job "a" is loaded without the other jobs of job group "g" DETAIL:  It reads a snapshot of its own. HINT:  Pass job_group instead of job to read one snapshot for all of them.  NOTICE:  00000: job "a": 2 windows, 48 rows', 'a job that is named');
is(value($snapshots), '0|0|2', 'a job that is named: snapshots of its own');
is(sql('CALL copy_incremental_catch_up()'), 'NOTICE:  00000: job "b": 2 windows, 48 rows', 'the rest of the group');
is(value(q[SELECT value FROM copy_incremental_explain('a') WHERE item = 'job group']), 'g, with b', 'explain');

# Several groups, and jobs of none
begin(create('a', name => 'a2', mode => "'skip'", job_group => "'g2'"), create('b', name => 'b2', mode => "'skip'", job_group => 'NULL'));
is(value('CALL copy_incremental_catch_up()') . value('SELECT count(DISTINCT source_snapshot), count(source_snapshot), count(*) FROM copy_incremental_runs'), '2|4|6', 'two groups and a job of none');

# Roles
value("CREATE ROLE etl LOGIN; CREATE ROLE member LOGIN; GRANT etl TO member; SELECT copy_incremental_grant('etl'), copy_incremental_grant('member'); GRANT USAGE ON FOREIGN SERVER src TO etl, member; GRANT ALL ON a, b TO etl, member; CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$password'); CREATE USER MAPPING FOR member SERVER src OPTIONS (user 'etl_reader', password '$password')");
begin();
fails_with($destination, "SET ROLE etl; $group", '42704', qr/job group "g" does not exist/, 'the group of another role');
value('SET ROLE etl; ' . create('a', name => 'etl_a', mode => "'skip'"));
is(sql("SET ROLE member; $group"), 'NOTICE:  00000: job "etl_a": 2 windows, 48 rows', 'the group of a role of which one is a member');
value('SET ROLE etl; ' . create('a', name => 'etl_only', mode => "'skip'", job_group => "'of etl'"));
fails_with($destination, q[CALL copy_incremental_catch_up(job_group => 'of etl')], '42704', qr/job group "of etl" does not exist/, 'the group of another role, for a superuser');
like(sql($group), qr/NOTICE:  00000: job "a": 2 windows, 0 rows  NOTICE:  00000: job "b": 2 windows, 48 rows$/, 'the own group is meant first');
value('CREATE ROLE other_etl; GRANT other_etl TO member; GRANT USAGE ON FOREIGN SERVER src TO other_etl; GRANT ALL ON b TO other_etl; SELECT copy_incremental_grant($$other_etl$$)');
value("CREATE USER MAPPING FOR other_etl SERVER src OPTIONS (user 'etl_reader', password '$password'); SET ROLE other_etl; " . create('b', name => 'other_b', mode => "'skip'"));
fails_with($destination, "SET ROLE member; $group", '22023', qr/several roles have a job group "g"/, 'groups of several roles');

# Sources that give no snapshot
begin();
at_source('REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC');
like(sql($group), qr/WARNING:  42501: job "a": window 2018-07-28 failed: permission denied for function pg_export_snapshot HINT:  The jobs of a group read a snapshot that pg_export_snapshot\(\) .*ERROR:  42501: 2 of 2 jobs failed/, 'the role may not make one');
is(value(q[SELECT string_agg(concat_ws(' ', job, status, sqlstate), ', ' ORDER BY job) FROM copy_incremental_runs]), 'a failed 42501, b failed 42501', 'each job is recorded');
at_source('GRANT EXECUTE ON FUNCTION pg_export_snapshot() TO PUBLIC');
is(sql($group), $loaded, 'and then all is loaded');

# The limit of connections
value(q[LOAD 'pg_copy_incremental'; ALTER SYSTEM SET copy_incremental.max_source_connections = 1; SELECT pg_reload_conf()]);
begin();
like(sql("LOAD 'pg_copy_incremental'", $group), qr/ERROR:  53400: 2 of 2 jobs failed: "[^:]+" DETAIL:  job "a", window 2018-07-28: a job group needs two connections to its source/, 'a limit of one connection');
value(q[LOAD 'pg_copy_incremental'; ALTER SYSTEM SET copy_incremental.max_source_connections = 2; SELECT pg_reload_conf()]);
is(join('  ', sort split /  (?=NOTICE)/, sql("CALL copy_incremental_catch_up(job_group => 'g', workers => 3)")), $loaded, 'a limit of two');
begin(create('a', name => 'a2', mode => "'skip'", job_group => "'g2'"), create('b', name => 'b2', mode => "'skip'", job_group => "'g2'"));
my @clients = map { start_client($destination, "group $_", "CALL copy_incremental_catch_up(job_group => '$_', workers => 2)") } qw(g g2);
is(join(' ', map { (end_of_client($_))[0] } @clients), '00000 00000', 'two groups within a limit of two do not wait for each other for ever');
value(q[LOAD 'pg_copy_incremental'; ALTER SYSTEM RESET copy_incremental.max_source_connections; SELECT pg_reload_conf()]);

# A source that accepts one connection
begin(create('a', retries => 0), create('b', retries => 0));
at_source('ALTER ROLE etl_reader CONNECTION LIMIT 1');
like(sql($group), qr/WARNING:  53300: job "a": window 2018-07-28 failed: could not connect.*ERROR:  53300: 2 of 2 jobs failed/, 'a source that accepts one connection');
at_source('ALTER ROLE etl_reader CONNECTION LIMIT -1');

# What another run writes after the snapshot is not overwritten by what is older.
value(q[CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF current_setting('application_name') = 'group' THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN NULL; END$$; CREATE TRIGGER wait BEFORE INSERT ON a FOR EACH STATEMENT EXECUTE FUNCTION wait()]);
begin(create('a', mode => "'upsert'"), create('b', mode => "'upsert'"));
my ($holder) = open_session($destination);
$holder->query_safe('SELECT pg_advisory_lock(7)');
my $client = start_client($destination, 'group', $group);
poll_session($holder, q[SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory']) or die 'no run waits';
at_source('UPDATE b SET v = 2');
is(value(q[SELECT copy_incremental_run('b', '2018-07-28')]), '24', 'a run of another session reads newer rows');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
my ($state, undef, $said) = end_of_client($client);
is($state, '00000', 'the group goes on') or diag($said);
like($said, qr/in a new snapshot, retry 1 of 3.*\n.*another run has written to public\.b since the snapshot of the job group was taken \(SQLSTATE PI004\)/, 'with a newer snapshot');
is(value('SELECT min(v), count(*) FROM b'), '2|48', 'nothing is older than what the run has written');

# A transaction is open that may still write into the windows that have ended a moment ago, in a time zone where that was
# midnight. PostgreSQL knows only zones whose offset was whole minutes at the begin of 2000, so these cases rest at the turn of a year.
my @cases = value(q[SELECT to_char(now(), 'MMDD') IN ('1230', '1231', '0101', '0102')]) eq 't' ? () : ([ 'wait', 'wait' ], [ 'warn', 'wait' ], [ 'warn', 'off' ], [ 'error', 'error' ]);
at_source('GRANT pg_read_all_stats TO etl_reader');
sub until_midnight
{
	my ($table, %option) = @_;
	return create($table, first_day => "(now() AT TIME ZONE '$option{time_zone}')::date - 1", lag => "'0'", map { ($_, "'$option{$_}'") } keys %option);
}
for my $case (@cases)
{
	my ($first, $second) = @$case;
	at_source('DELETE FROM a WHERE id >= 99; DELETE FROM b WHERE id >= 99');
	# A zone is at most 16 hours from UTC.
	my ($zone, $midnight) = split /\|/, value(q[SELECT '<STD>' || CASE WHEN m::time < '12:00' THEN m::time::text ELSE '-' || interval '24 hours' - m::time END || '<DST>0,J365/0,J1/23', m || '+00'
		FROM (SELECT date_trunc('second', now() AT TIME ZONE 'UTC') + interval '2 seconds') AS t(m)]);
	my ($writer) = open_session($source);
	$writer->query_safe(join ';', 'BEGIN', map { "INSERT INTO $_ VALUES (100, timestamptz '$midnight' - interval '1 second', 1), (99, timestamptz '$midnight' - interval '1 day 1 second', 1)" } qw(a b));
	ok(wait_until($source, "SELECT clock_timestamp() > '$midnight'"), "$first and $second: midnight");
	value('TRUNCATE a, b, pgci_runs, pgci_coverage, pgci_jobs; ' . join ';', until_midnight('a', time_zone => $zone, settle => $first, mode => 'upsert'), until_midnight('b', time_zone => $zone, settle => $second));
	value("INSERT INTO pgci_coverage SELECT job_id, tstzmultirange(tstzrange('$midnight'::timestamptz - interval '2 days', '$midnight'::timestamptz - interval '1 day')) FROM pgci_jobs");
	my $call = start_client($destination, 'settling', $group);
	if ($second eq 'wait')
	{
		ok(wait_until($source, q[SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'etl_reader' AND query ~ 'pg_last_xact_replay_timestamp']), "$first and $second: the call waits");
		is(value("SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded'"), '0', "$first and $second: nothing is loaded yet");
		$writer->query_safe('COMMIT');
	}
	my ($end, undef, $words) = end_of_client($call);
	$writer->query_safe('COMMIT') if $second ne 'wait';
	$writer->quit;
	my $rows = value("SELECT (SELECT string_agg(id::text, ' ') FROM a), (SELECT string_agg(id::text, ' ') FROM b)");
	my $settled = value(q[SELECT string_agg(concat_ws(' ', job, status, coalesce(settled::text, 'null'), sqlstate), ', ' ORDER BY job) FROM copy_incremental_runs]);
	is("$end $rows $settled", {
		'wait wait' => '00000 100|100 a succeeded true, b succeeded true',
		'warn wait' => '00000 100|100 a succeeded false, b succeeded true',
		'warn off' => '00000 | a succeeded false, b succeeded null',
		'error error' => 'PI002 | a failed null PI002, b failed null PI002' }->{"$first $second"}, "$first and $second: what is loaded, and what is said to be") or diag($words);
	like($words, qr/is not settled: the source may still commit rows of it/, "$first and $second: the user is told") if $first ne 'wait';
	next if $first eq 'wait' || $second eq 'off';
	is((split /,/, value("$group; SELECT string_agg(id::text, ' ') FROM a"))[0], '100', "$first and $second: the next call loads the rest");
}

# Jobs of ids in a group
on_both('CREATE TABLE ids (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int)', $source, $destination);
at_source('INSERT INTO ids (v) SELECT n FROM generate_series(1, 50) AS n');
begin(define_job('ids', 'SELECT * FROM ids', window_column => "'id'", window_size_rows => 20, target => "'ids'", job_group => "'g'"));
is(join('  ', sort split /  (?=NOTICE)/, sql("CALL copy_incremental_catch_up(job_group => 'g', workers => 2)")), "$loaded  NOTICE:  00000: job \"ids\": 3 windows, 50 rows", 'a job of ids');
is(value($snapshots), '1|7|7', 'a job of ids: one snapshot');
is(value(q[SELECT covered_ids FROM copy_incremental_jobs WHERE job = 'ids']), '{[1,51)}', 'a job of ids: its coverage');

# A cycle of foreign keys
on_both('CREATE TABLE p (id bigint PRIMARY KEY, at timestamptz NOT NULL, q bigint); CREATE TABLE q (id bigint PRIMARY KEY, at timestamptz NOT NULL, p bigint REFERENCES p); ALTER TABLE p ADD CONSTRAINT p_to_q FOREIGN KEY (q) REFERENCES q', $source, $destination);
at_source("INSERT INTO p VALUES (1, '2018-07-28 12:00+00', NULL); INSERT INTO q VALUES (1, '2018-07-28 12:00+00', 1)");
value('TRUNCATE pgci_jobs; ' . create('q') . ';' . create('p'));
is(sql($group), 'NOTICE:  00000: foreign keys between the targets of job group "g" form a cycle DETAIL:  The windows are loaded without regard to "p_to_q" of table public.p.  NOTICE:  00000: job "p": 2 windows, 1 row  NOTICE:  00000: job "q": 2 windows, 1 row', 'a cycle: a NOTICE names the key');
# A chain over partitions, and a table that refers to itself
on_both('CREATE TABLE z1 (id bigint PRIMARY KEY, at timestamptz NOT NULL, up bigint REFERENCES z1) ; CREATE TABLE y2 (id bigint, at timestamptz NOT NULL, z bigint REFERENCES z1, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE y2_2018 PARTITION OF y2 FOR VALUES FROM (\'2018-01-01\') TO (\'2019-01-01\'); CREATE TABLE x3 (id bigint PRIMARY KEY, at timestamptz NOT NULL, y bigint, yat timestamptz, FOREIGN KEY (y, yat) REFERENCES y2)', $source, $destination);
at_source("INSERT INTO z1 SELECT n, timestamptz '2018-07-28 12:00+00', n / 2 FROM generate_series(0, 20) AS n; INSERT INTO y2 SELECT id, at, id FROM z1; INSERT INTO x3 SELECT id, at, id, at FROM y2");
for my $workers (1, 3)
{
	value('TRUNCATE pgci_jobs, pgci_coverage, pgci_runs, z1, y2, x3; ' . join ';', map { create($_) } qw(x3 y2 z1));
	is(sql("CALL copy_incremental_catch_up(job_group => 'g', workers => $workers)"), join('  ', map { qq[NOTICE:  00000: job "$_": 2 windows, 21 rows] } qw(z1 y2 x3)), "$workers: parents come before children");
}
value('TRUNCATE pgci_jobs, pgci_coverage, pgci_runs, z1, y2, x3; ' . join ';', create('x3'), create('y2_2018'), create('z1'));
is(sql($group), join('  ', map { qq[NOTICE:  00000: job "$_": 2 windows, 21 rows] } qw(z1 y2_2018 x3)), 'a partition as target');

$holder->quit;
no_session_left($source, 'no session is left at the source');
done_testing();
