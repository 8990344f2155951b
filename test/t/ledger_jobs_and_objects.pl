# What becomes of jobs when the objects that they name change: roles, targets, servers, the database itself.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my ($source, $destination) = start_servers(destination => "wal_level = logical\nmax_wal_senders = 4\nmax_replication_slots = 4\n");
on_both('CREATE TABLE rows (id int, moment timestamptz); CREATE TABLE kept (LIKE rows)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT n, timestamptz '2018-07-28 00:30+00' + n * interval '1 hour' FROM generate_series(0, 239) AS n]);
my $mapping = sub { "CREATE USER MAPPING FOR $_[0] SERVER $_[1] OPTIONS (user 'etl_reader', password '$TwoServers::password')" };
$destination->safe_psql('postgres', 'CREATE ROLE etl; CREATE ROLE other; GRANT USAGE ON FOREIGN SERVER src TO etl, other; GRANT ALL ON rows, kept TO etl, other; '
	. q[SELECT copy_incremental_grant('etl'); SELECT copy_incremental_grant('other'); ] . join '; ', $mapping->('etl', 'src'), $mapping->('other', 'src'));

my $query = 'SELECT * FROM rows WHERE moment >= $1 AND moment < $2';
sub sql { return one_line($destination, 'verbose', @_) }
sub create { my ($job, %option) = @_; return define_job($job, $query, first_day => "'2018-07-28'", time_zone => "'UTC'", target => "'rows'", %option) }
sub run { my ($job, $day) = @_; return "SELECT copy_incremental_run('$job', '$day')" }
sub view { my ($columns, $job) = @_; return "SELECT $columns FROM copy_incremental_jobs WHERE job = '$job'" }
my $two_days = '{["2018-07-28 00:00:00+00","2018-07-30 00:00:00+00")}';

# or_replace
is(sql('SET TimeZone = UTC', 'SET ROLE etl', create('j'), run('j', '2018-07-28'), run('j', '2018-07-29'), create('j', batch => 10, lag => "'1 hour'"), view('owner, covered, options', 'j')),
	qq(24 24 etl|$two_days|{"batch": 10}), 'replaced: another definition, the same record of windows');
like(sql('SET ROLE other', create('j')), qr/ERROR:  42501: permission denied for job "j"/, 'not by another role');
# What its owner has written would run with the privileges of a superuser who calls it.
is(sql(create('j'), view('owner', 'j')), 'etl', 'replaced by a superuser, it stays that of its role');
for my $call (run('j', '2018-07-30'), q[CALL copy_incremental_catch_up('j')], q[CALL copy_incremental_backfill('j', '2018-07-28', '2018-07-28')],
	q[SELECT copy_incremental_start('j', '2018-07-30')], (map { "SELECT * FROM copy_incremental_$_('j', '2018-07-28')" } qw(explain verify verify_rows)), q[SELECT * FROM copy_incremental_describe('j')],
	q[SELECT * FROM copy_incremental_repair('j', '2018-07-28', '2018-07-28')])
{
	like(sql($call), qr/ERROR:  42501: permission denied for job "j" HINT:  Use SET ROLE etl: what the owner of the job has written would otherwise run with your privileges/, 'not by a superuser: ' . substr $call, 0, 50);
}
is(sql('CREATE ROLE admin SUPERUSER', $mapping->('admin', 'src'), q[SET ROLE admin], create('of_admin'), 'RESET ROLE', create('of_admin'), view('owner', 'of_admin'), q[SELECT copy_incremental_drop_job('of_admin')]), 'admin', 'what another superuser has written');
is(sql(q[SELECT count(*) > 0 FROM copy_incremental_missing('j', '2018-07-28', '2018-08-01')], view('owner', 'j')), 't etl', 'a superuser sees what it has loaded');
is(sql('BEGIN', q[SELECT copy_incremental_forget('rows', NULL, NULL, 'j')], q[SELECT copy_incremental_drop_job('j')], view('count(*)', 'j'), 'ROLLBACK') =~ s/ +/ /r, '2 0', 'and can forget it and drop the job');
like(sql('SET ROLE etl', create('j', target => "'kept'")), qr/ERROR:  0A000: the target of job "j" cannot be changed/, 'not with another target');

# Renamed objects
is(sql('SET TimeZone = UTC', 'CREATE SCHEMA s', 'GRANT USAGE ON SCHEMA s TO PUBLIC', 'ALTER ROLE etl RENAME TO loader', 'ALTER TABLE rows RENAME TO events', 'ALTER TABLE events SET SCHEMA s', 'ALTER SCHEMA s RENAME TO t',
		'ALTER SERVER src RENAME TO shop', view('owner, source, target, covered', 'j'), 'SET ROLE loader', run('j', '2018-07-30')), "loader|shop|t.events|$two_days 24", 'renamed role, table, schema and server');
is(sql('CREATE ROLE etl', q[SELECT copy_incremental_grant('etl')], 'SET ROLE etl', view('*', 'j')), '', 'a role that takes the name sees nothing');
is(sql('RESET ROLE', 'DROP OWNED BY etl', 'DROP ROLE etl', 'ALTER TABLE t.events SET SCHEMA public', 'ALTER TABLE events RENAME TO rows', 'ALTER SERVER shop RENAME TO src', 'DROP SCHEMA t'), '', 'and back');

# The role goes
is(sql('REASSIGN OWNED BY loader TO other', view('owner', 'j')), 'loader', 'REASSIGN OWNED: the job stays');
is(sql('DROP OWNED BY loader', view('owner, missing_windows > 0', 'j')), 'loader|t', 'DROP OWNED: the job stays');
like(sql('SET ROLE loader', run('j', '2018-08-01')), qr/ERROR:  42501: permission denied for function copy_incremental_run/, 'without the privileges it does not run');
is(sql('DROP ROLE loader', 'SET TimeZone = UTC', view('owner, target, missing_windows > 0', 'j')), '|public.rows|t', 'DROP ROLE: a job without owner');
for my $call (run('j', '2018-08-01'), q[SELECT copy_incremental_drop_job('j')], q[SELECT * FROM copy_incremental_explain('j')], create('j'))
{
	like(sql('SET ROLE other', $call), qr/ERROR:  42501: permission denied for job "j".*The role that owned it was dropped/, 'for a superuser only: ' . substr $call, 0, 40);
}
is(sql('SET ROLE other', view('job', 'j')), '', 'and to him alone it is shown');
like(sql(run('j', '2018-08-01')), qr/ERROR:  42501: permission denied for job "j" HINT:  The role that owned it was dropped/, 'a superuser does not run it');
is(sql('SET TimeZone = UTC', create('j'), run('j', '2018-08-01'), view('owner = current_user, covered', 'j')), '24 t|{["2018-07-28 00:00:00+00","2018-07-31 00:00:00+00"),["2018-08-01 00:00:00+00","2018-08-02 00:00:00+00")}', 'or_replace takes it over');

# The target and the server go
$destination->safe_psql('postgres', "CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '" . $source->port . "', dbname 'postgres'); " . $mapping->('CURRENT_USER', 'away'));
is(sql(create('far', src_conninfo => "'away'", target => "'kept'"), run('far', '2018-07-28'), 'DROP SERVER away CASCADE', view('source, target, missing_windows > 0', 'far')) =~ s/NOTICE.*//r, '24 |public.kept|t', 'a dropped server');
like(sql(run('far', '2018-07-29')), qr/ERROR:  42704: the foreign server of job "far" does not exist.*HINT:  Create the server and define the job again/, 'nothing runs');
is(sql('SET TimeZone = UTC', create('far', target => "'kept'"), run('far', '2018-07-29'), view('source, covered', 'far')), "24 src|$two_days", 'defined again with another server');
is(sql('DROP TABLE kept', 'CREATE TABLE kept (LIKE rows)', view('target, last_error', 'far')), '|', 'a dropped target');
for my $call (run('far', '2018-07-30'), q[SELECT * FROM copy_incremental_explain('far')], q[SELECT * FROM copy_incremental_describe('far')], q[SELECT * FROM copy_incremental_verify('far', '2018-07-28')])
{
	like(sql($call), qr/ERROR:  42P01: table public.kept, the target of job "far", does not exist.*It was dropped/, 'refused: ' . substr $call, 0, 40);
}
like(sql(create('far', target => "'kept'")), qr/ERROR:  0A000: the target of job "far" cannot be changed/, 'a table that takes the name is another');
is(sql(q[SELECT copy_incremental_drop_job('far')], 'SELECT count(*) FROM copy_incremental_jobs'), ' 1', 'it can be dropped');

# pg_dump and restore: into a cluster that has the role, and into one that has not.
is(sql('CREATE ROLE owner', 'GRANT USAGE ON FOREIGN SERVER src TO owner', 'GRANT ALL ON rows TO owner', q[SELECT copy_incremental_grant('owner')], $mapping->('owner', 'src'), 'SET ROLE owner', create('owned', mode => "'replace'", replace_where => q['moment >= $1 AND moment < $2']), run('owned', '2018-07-28')), ' 24', 'a job of a role');
my $columns = 'job, owner, source, target, mode, window_size, time_zone, first_day, covered, last_run_id, options';
my $jobs = sub { $_[0]->safe_psql($_[1], "SET TimeZone = UTC; SELECT $columns FROM copy_incremental_jobs ORDER BY job") };
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$destination->command_ok([ 'pg_dump', '-f', $dump, $destination->connstr('postgres') ], 'pg_dump');
$destination->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$destination->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $destination->connstr('restored'), '-f', $dump ], 'restored');
is($jobs->($destination, 'restored'), $jobs->($destination, 'postgres'), 'with its jobs and their windows');
is($destination->safe_psql('restored', run('j', '2018-08-02') . '; SELECT max(run_id) = (SELECT last_run_id FROM copy_incremental_jobs WHERE job = $$j$$) FROM copy_incremental_runs'), "24\nt", 'which run');
my (undef, undef, $refused) = $destination->psql('restored', run('j', '2018-08-02'));
like($refused, qr/window 2018-08-02 of job "j" into \S+ was already loaded/, 'and know what is loaded');

# A replica by logical replication, without the role and the target: published with all tables, which jobs go on writing.
$destination->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$replica->start;
$replica->safe_psql('postgres', 'CREATE EXTENSION pg_copy_incremental; CREATE TABLE rows (id int, moment timestamptz); CREATE TABLE kept (LIKE rows)');
$replica->safe_psql('postgres', "CREATE SUBSCRIPTION everything CONNECTION \$c\$" . $destination->connstr('postgres') . "\$c\$ PUBLICATION everything");
$replica->wait_for_subscription_sync($destination, 'everything');
is(sql(run('j', '2018-07-31'), q[SELECT copy_incremental_forget('rows', '2018-07-28', '2018-07-28', 'j')]), '24 1', 'runs and forget write published tables');
$destination->wait_for_catchup('everything');
my $windows = 'SET TimeZone = UTC; SELECT job, owner, target, covered, last_run_id FROM copy_incremental_jobs ORDER BY job';
is($replica->safe_psql('postgres', $windows), $destination->safe_psql('postgres', $windows) =~ s/\|owner\|/||/r, 'the replica has jobs and windows; of the role that it lacks, no owner');
is($replica->safe_psql('postgres', 'SELECT count(*) FROM copy_incremental_runs'), $destination->safe_psql('postgres', 'SELECT count(*) FROM copy_incremental_runs'), 'and runs');
$replica->safe_psql('postgres', 'DROP SUBSCRIPTION everything');

done_testing();
