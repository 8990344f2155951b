# After pg_upgrade, which copies the ledger as files and gives foreign servers other OIDs, jobs and the ledger speak of the same servers.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $old) = start_servers();
$_->safe_psql('postgres', 'CREATE TABLE rows (id int, moment timestamptz)') for $source, $old;
$source->safe_psql('postgres', q[INSERT INTO rows SELECT g, timestamptz '2018-07-29Z' + g * interval '1 hour' FROM generate_series(0, 47) AS g]);
# Names in the other order than OIDs: pg_upgrade makes servers in the order of their names, so each gets what another had.
my $port = $source->port;
$old->safe_psql('postgres', <<~SQL);
	CREATE SERVER b FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
	CREATE SERVER a FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'no_such');
	CREATE USER MAPPING FOR CURRENT_USER SERVER b OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE USER MAPPING FOR CURRENT_USER SERVER a OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE TABLE of_job (LIKE rows);
	SELECT copy_incremental_create_job('daily', 'b', 'SELECT * FROM rows', target => 'of_job', window_column => 'moment',
		first_day => '2018-07-29', time_zone => 'UTC');
	SELECT copy_incremental_run('daily', '2018-07-29');
	SQL
my $call = q[SELECT copy_incremental('src', 'SELECT * FROM rows WHERE moment >= $1 AND moment < $2', '2018-07-29', time_zone => 'UTC')];
is($old->safe_psql('postgres', $call), 24, 'a run of a call');
# Then the address does not tell the source.
$old->safe_psql('postgres', "ALTER SERVER src OPTIONS (SET host 'localhost')");
my $state = q[SELECT job, source, covered FROM copy_incremental_jobs; SELECT run_id, source, target, rows_written FROM copy_incremental_runs ORDER BY 1;
	SELECT server FROM pgci_jobs; SELECT server FROM pgci_runs ORDER BY run_id];
my $oids = q[SELECT srvname, oid FROM pg_foreign_server ORDER BY srvname];
my $cluster = 'SELECT system_identifier FROM pg_control_system()';
my ($before, $oids_before, $cluster_before) = map { $old->safe_psql('postgres', $_) } $state, $oids, $cluster;
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
# Not with the options of the old one: the suite copies a cluster that has the same options, with its identifier.
$new->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
my $bindir = $old->config_data('--bindir');
my $folder = PostgreSQL::Test::Utils::tempdir(); # it is removed with the variable
chdir $folder or die $!;
command_ok([ 'pg_upgrade', '-b', $bindir, '-B', $bindir, '-d', $old->data_dir, '-D', $new->data_dir, '-s', $new->host,
	'-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
isnt($new->safe_psql('postgres', $cluster), $cluster_before, 'it is another cluster');
isnt($new->safe_psql('postgres', $oids), $oids_before, 'foreign servers have other OIDs');
is($new->safe_psql('postgres', $state), $before, 'jobs and runs show the same servers');
fails_with($new, $call, 'PI001', qr/already loaded/, 'a window that was loaded is refused');
is($new->safe_psql('postgres', "SELECT copy_incremental_run('daily', '2018-07-30')"), 24, 'the job reads its server');
is($new->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM of_job'), '48|48', 'each row once');
done_testing();
