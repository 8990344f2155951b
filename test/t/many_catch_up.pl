# CALL copy_incremental_catch_up(): fifty jobs from two sources; an outage of one, processes that are killed, calls that meet.
# SEED=number repeats the moments of the kills.
use strict;
use warnings;

use TwoServers;
use Test::More;

my $seed = $ENV{SEED} // time ^ $$;
srand($seed);
diag("SEED=$seed");

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\nfsync = off\n", destination => "timezone = 'UTC'\nrestart_after_crash = on\nfsync = off\n");
stay_in_the_day();
my $second = start_source(name => 'second_source', config => "timezone = 'UTC'\nfsync = off\n");
$destination->safe_psql('postgres', "CREATE SERVER second FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '" . $second->port . "', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER second OPTIONS (user 'etl_reader', password '$TwoServers::password')");
on_both(q[CREATE TABLE rows AS SELECT g AS id, date_trunc('day', now(), 'UTC') - interval '61 days' + g * interval '6 hours' AS at FROM generate_series(0, 249) AS g], $source, $second);

sub results { return one_line($destination, 'default', @_) }
my $query = 'SELECT * FROM rows WHERE at >= $1 AND at < $2';
my $days = 60;
# Some jobs have windows of a day, the others longer ones.
my @jobs = map { sprintf 'job%02d', $_ } 1 .. 50;
my %size = map { $jobs[$_] => $_ % 10 < 2 ? 1 : $_ % 10 < 6 ? 5 : 20 } 0 .. $#jobs;
my $windows = 0;
$windows += $days / $size{$_} for @jobs;
results(map { ("CREATE TABLE $_ (id int, at timestamptz)", define_job($_, $query, retries => 0, target => "'$_'", first_day => "(now() AT TIME ZONE 'UTC')::date - $days",
		time_zone => "'UTC'", window_size => "'$size{$_} days'", src_conninfo => /[02468]$/ ? "'second'" : "'src'")) } @jobs);
is(results('SELECT count(*) FROM pgci_jobs'), 50, 'fifty jobs');

my $succeeded = q[SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded'];
# What is in the targets is what the record of windows says, once.
my $wrong_jobs = 'SELECT string_agg(job, $$ $$) FROM (' . join(' UNION ALL ', map { "SELECT '$_' AS job, (SELECT count(*) FROM $_) AS rows, (SELECT count(DISTINCT id) FROM $_) AS ids" } @jobs)
  . q[) AS t WHERE rows <> ids OR rows <> 4 * (SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span)) / 86400), 0) FROM pgci_coverage AS c JOIN pgci_jobs AS j USING (job_id), unnest(covered) AS span WHERE j.job = t.job)];
sub is_exact { my ($name) = @_; return is(results($wrong_jobs), '', "$name: each target has what the record of windows says, once"); }

# One source is away: one failure of each of its jobs, and all windows of the others.
$second->stop;
my $said = fails_with($destination, 'CALL copy_incremental_catch_up(workers => 3)', '08001', qr/25 of 50 jobs failed: "job\d\d", "job\d\d", "job\d\d" and 22 more\nDETAIL:  job "job\d\d", window .*: could not connect .*\(SQLSTATE 08001\); \d+ windows? not tried/, 'an outage: the error');
is(scalar(() = $said =~ /WARNING:  08001: job "job\d\d": window \S+ failed|WARNING:  08001: job "job\d\d": window \[.*?\) failed/g), 25, 'an outage: a WARNING for each job');
like($said, qr/NOTICE:  00000: job "job02": 0 windows, 0 rows; 1 failed; \d+ not tried|NOTICE:  00000: job "job02": \d+ windows?, \d+ rows; 1 failed; \d+ not tried/, 'an outage: the line of a job');
is(results(q[SELECT count(*), count(DISTINCT job), count(DISTINCT sqlstate), min(sqlstate), count(DISTINCT source) FROM copy_incremental_runs WHERE status = 'failed']), '25|25|1|08001|1', 'an outage: recorded once for each job');
is(results(q[SELECT count(*) FROM (SELECT job, range_agg(span) AS covered FROM pgci_coverage JOIN pgci_jobs USING (job_id), unnest(covered) AS span GROUP BY 1) AS c WHERE covered = tstzmultirange(tstzrange(date_trunc('day', now(), 'UTC') - interval '60 days', date_trunc('day', now(), 'UTC')))]), 25, 'an outage: the other source is loaded');
is_exact('an outage');

# It is back.
$second->start;

# Processes are killed at a random moment; the next call goes on.
for my $case ([ 'a worker', q[backend_type = 'copy_incremental'] ], [ 'the leader', q[application_name = 'leader' AND backend_type = 'client backend'] ])
{
	my ($name, $which) = @$case;
	my $before = $destination->safe_psql('postgres', $succeeded);
	my $client = start_client($destination, 'leader', 'CALL copy_incremental_catch_up(workers => 3)');
	my ($session) = open_session($destination);
	my $more = 30 + int rand(100);
	poll_session($session, "SELECT ($succeeded) >= $before + $more") or die 'the call does not get on';
	my ($pid) = split /\n/, $session->query_safe("SELECT pid FROM pg_stat_activity WHERE $which LIMIT 1");
	my $offset = -s $destination->logfile;
	kill 'KILL', $pid;
	$destination->wait_for_log(qr/database system is ready to accept connections/, $offset);
	eval { $session->quit };
	isnt((end_of_client($client))[0], '00000', "$name is killed: the call fails");
	is_exact("$name is killed");
}

# Two calls at once share what is left.
my @clients = map { start_client($destination, "call $_", "CALL copy_incremental_catch_up(workers => 2)") } 1, 2;
is(join(' ', map { (end_of_client($_))[0] } @clients), '00000 00000', 'two calls at once: both succeed');
is_exact('two calls at once');
is(results(q[SELECT count(*), count(DISTINCT (job, data_interval)) FROM copy_incremental_runs WHERE status = 'succeeded']), "$windows|$windows", 'two calls at once: each window is loaded once');
is(results('CALL copy_incremental_catch_up()'), 'NOTICE:  no job of role "postgres" has a window that is due and missing', 'then nothing is left');
is(results(q[CALL copy_incremental_catch_up('job01')]), 'NOTICE:  job "job01": 0 windows, 0 rows', 'nor of a job that is named');

# A window that another session loads is left to it.
results(q[SELECT copy_incremental_drop_job(job) FROM pgci_jobs], 'TRUNCATE pgci_runs');
results('CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END$$',
	'CREATE TABLE busy (id int, at timestamptz)', 'CREATE TRIGGER wait BEFORE INSERT ON busy FOR EACH ROW EXECUTE FUNCTION wait()',
	define_job('busy', $query, target => "'busy'", first_day => "(now() AT TIME ZONE 'UTC')::date - 1", time_zone => "'UTC'"));
my ($holder) = open_session($destination);
$holder->query_safe('SELECT pg_advisory_lock(7)');
my $client = start_client($destination, 'first', q[CALL copy_incremental_catch_up('busy')]);
poll_session($holder, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory']) or die 'the first call does not wait';
is(results(q[CALL copy_incremental_catch_up('busy')]), 'NOTICE:  job "busy": 0 windows, 0 rows; 1 being loaded by other sessions', 'a window that another session loads');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
is((end_of_client($client))[0], '00000', 'which loads it');
$holder->quit;

$destination->stop;
kills_were_ours($destination, 2, 'no other process was killed');
done_testing();
