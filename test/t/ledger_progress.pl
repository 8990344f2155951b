# copy_incremental_progress: what it makes of estimates and windows from one end of their range to the other; a run never breaks the view
# for others, and is not at 100 percent before it has ended.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use PostgreSQL::Test::Cluster;
use TwoServers;
use Test::More;

# What the source's planner expects, and what percent of it 5 rows are, and whether the time that is left can be told.
my @estimates = ([ 0, '', 't' ], [ 1, '99', 't' ], [ 4, '99', 't' ], [ 5, '99', 't' ], [ 6, '83.3', 't' ], [ 10, '50.0', 't' ],
	[ '1000000000', '0.0', 't' ], [ '9007199254740993', '0.0', 'f' ], [ '9223372036854775807', '0.0', 'f' ], [ '9223372036854775808', '', 't' ]);
my %scenarios = map { my $rows = $_->[0]; ($rows => { explain => sub { return ($_[0], $_[1],
	(map { /^D/ ? row("Seq Scan on rows  (cost=0.00..1.00 rows=$rows width=8)") : $_ } @_[ 2 .. $#_ ])) } }) } @estimates;
my $hostile = start_hostile_source(good => {}, %scenarios);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->append_conf('postgresql.conf', "timezone = 'UTC'\n");
$destination->start;
$destination->safe_psql('postgres', <<~'SQL');
	CREATE EXTENSION pg_copy_incremental;
	CREATE TABLE rows (id int, note text);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
	  'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END';
	CREATE TRIGGER hold BEFORE INSERT ON rows FOR EACH ROW WHEN (NEW.id = 8) EXECUTE FUNCTION hold();
	SQL
my ($watcher) = open_session($destination);

# What a query of the view returns while a run has read 5 rows and waits.
sub meanwhile
{
	my ($name, $call, $sql) = @_;
	$watcher->query_safe('SELECT pg_advisory_lock(42)');
	my $client = start_client($destination, 'run', $call);
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted), 1), "$name: the run waits");
	my (undef, $found) = outcome_of($watcher, $sql);
	$watcher->query_safe('SELECT pg_advisory_unlock(42)');
	is((end_of_client($client))[0], '00000', "$name: the run ends");
	chomp $found;
	return $found;
}

sub source { return '$c$' . $hostile->conninfo($_[0]) . '$c$'; }

for my $case (@estimates)
{
	my ($rows, $percent, $has_eta) = @$case;
	my $call = copy_sql('SELECT id, note FROM rows', undef, src_conninfo => source($rows), batch => 5, target => "'rows'");
	is(meanwhile("estimate $rows", $call, 'SELECT rows_read, percent, eta IS NOT NULL FROM copy_incremental_progress'), "5|$percent|$has_eta", "estimate $rows");
}

# The first and the last moment, and one that a float8 does not hold.
for my $window ('["2018-07-29 00:00:00.000001+00","294276-12-31 23:59:59.999999+00")', '["0001-01-01 00:00:00.000001+00","1713-01-01 00:00:00.000001+00")',
	'["3018-07-29 12:34:56.123457+00","3018-07-29 12:34:56.123458+00")')
{
	my $call = copy_sql(q(SELECT id, note FROM rows WHERE at >= '{start}' AND at < '{end}'), undef, src_conninfo => source('good'), batch => 5,
		target => "'rows'", settle => "'off'") =~ s/copy_incremental\(/copy_incremental_range(/r =~ s/NULL/'$window'/r;
	is(meanwhile($window, $call, 'SELECT data_interval FROM copy_incremental_progress'), $window, $window);
}
is($watcher->query_safe('SELECT count(*) FROM copy_incremental_progress'), 0, 'what has ended is not shown');
$watcher->quit;
done_testing();
