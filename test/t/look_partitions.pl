# explain says which rows of the window go into the default partition, or into none.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

$source->safe_psql('postgres', 'CREATE TABLE m (id int, at timestamptz); CREATE TABLE local (id int, at timestamp); CREATE TABLE days (id int, at date)');

# The warnings about partitions, for 2018-07-29 in UTC.
sub warnings_of
{
	my ($table, $create, %option) = @_;
	return $destination->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; DROP TABLE IF EXISTS $table; $create; "
		  . define_job('j', "SELECT * FROM $table", target => "'$table'", time_zone => "'UTC'", window_column => "'at'", first_day => "'2018-07-01'", %option)
		  . "; SELECT value FROM copy_incremental_explain('j', '2018-07-29') WHERE item = 'error' OR item = 'warning' AND value ~ 'partition'");
}

my $by_at = 'CREATE TABLE m (id int, at timestamptz) PARTITION BY RANGE (at)';
my $half = q[CREATE TABLE m_half PARTITION OF m FOR VALUES FROM ('2018-07-29 00:00+00') TO ('2018-07-29 12:00+00')];
my $rest = 'CREATE TABLE m_rest PARTITION OF m DEFAULT';
my ($day, $later) = map { "[2018-07-29 $_, 2018-07-30 00:00:00+00)" } '00:00:00+00', '12:00:00+00';

is(warnings_of('m', $by_at), "no partition of public.m takes rows of $day", 'no partition');
is(warnings_of('m', "$by_at; $half"), "no partition of public.m takes rows of $later", 'a partition of half of the day');
is(warnings_of('m', "$by_at; $half; $rest"), "rows of $later go into the default partition public.m_rest", 'the default partition');
is(warnings_of('m', "$by_at; $half; $rest; CREATE TABLE m_late PARTITION OF m FOR VALUES FROM ('2018-07-29 18:00+00') TO (MAXVALUE)"),
	'rows of [2018-07-29 12:00:00+00, 2018-07-29 18:00:00+00) go into the default partition public.m_rest', 'a gap between partitions');
is(warnings_of('m', "$by_at; $half; $rest; CREATE TABLE m_late PARTITION OF m FOR VALUES FROM ('2018-07-29 12:00+00') TO ('2018-07-30 00:00+00')"), '', 'partitions of the whole day');
is(warnings_of('m', "$by_at; CREATE TABLE m_all PARTITION OF m FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"), '', 'a partition of all days');
is(warnings_of('local', q[CREATE TABLE local (id int, at timestamp) PARTITION BY RANGE (at); CREATE TABLE local_day PARTITION OF local FOR VALUES FROM ('2018-07-28 20:00') TO ('2018-07-29 19:00')],
	column_time_zone => "'America/New_York'"), 'no partition of public.local takes rows of [2018-07-29 19:00:00, 2018-07-29 20:00:00)', 'local times of a zone');
is(warnings_of('days', q[CREATE TABLE days (id int, at date) PARTITION BY RANGE (at); CREATE TABLE days_2017 PARTITION OF days FOR VALUES FROM ('2017-01-01') TO ('2018-01-01')]),
	'no partition of public.days takes rows of [2018-07-29, 2018-07-30)', 'dates');
for my $key ('RANGE (id, at)', 'RANGE (id)', 'LIST (at)', 'HASH (at)', "RANGE ((at AT TIME ZONE 'UTC'))")
{
	is(warnings_of('m', "CREATE TABLE m (id int, at timestamptz) PARTITION BY $key"), '', "the key $key: nothing is known");
}
is(warnings_of('m', 'CREATE TABLE m (id int, at timestamptz)'), '', 'a table without partitions');

no_session_left($source, 'no session is left at the source');
done_testing();
