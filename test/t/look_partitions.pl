# explain says which rows of the window go into a default partition, or into none.
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
# Several levels: what a partition of the day lacks, its default partition, and partitions by something else.
my $year = q[CREATE TABLE m_2018 PARTITION OF m FOR VALUES FROM ('2018-01-01 00:00+00') TO ('2019-01-01 00:00+00')];
my $half_of_year = $half =~ s/PARTITION OF m /PARTITION OF m_2018 /r;
is(warnings_of('m', "$by_at; $year PARTITION BY RANGE (at); $half_of_year"), "no partition of public.m_2018 takes rows of $later", 'a partition of a partition');
is(warnings_of('m', "$by_at; $year PARTITION BY RANGE (at); $half_of_year; CREATE TABLE m_rest PARTITION OF m_2018 DEFAULT"), "rows of $later go into the default partition public.m_rest", 'its default partition');
is(warnings_of('m', "$by_at; $year PARTITION BY LIST (id); $rest"), '', 'partitions of a partition by another column');
is(warnings_of('m', "$by_at; CREATE TABLE m_rest PARTITION OF m DEFAULT PARTITION BY RANGE (at)"), "rows of $day go into the default partition public.m_rest\nno partition of public.m_rest takes rows of $day", 'a default partition that has none');
is(warnings_of('m', "CREATE TABLE m (id int, at timestamptz) PARTITION BY LIST (id); CREATE TABLE m_1 PARTITION OF m DEFAULT PARTITION BY RANGE (at); CREATE TABLE m_1_half PARTITION OF m_1 FOR VALUES FROM (MINVALUE) TO ('2018-07-29 12:00+00')", target => "'m_1'"), "no partition of public.m_1 takes rows of $later", 'a target that is a partition by another column');
# A partition as the target
my $early = $day =~ s/2018-07-30 00/2018-07-29 12/r;
is(warnings_of('m', "$by_at; $half; $rest", target => "'m_half'"), "partition public.m_half does not take rows of $later", 'a partition of half of the day');
is(warnings_of('m', "$by_at; $half; $rest", target => "'m_rest'"), "partition public.m_rest does not take rows of $early", 'the default partition of the other half');
is(warnings_of('m', "$by_at; $year PARTITION BY RANGE (at); CREATE TABLE m_all PARTITION OF m_2018 FOR VALUES FROM (MINVALUE) TO (MAXVALUE)", target => "'m_all'"), '', 'a partition of a partition that has the day');
is(warnings_of('m', q[CREATE TABLE m (id int, at timestamptz) PARTITION BY RANGE (id); CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (5)], target => "'m_1'"), '', 'a partition by another column');
# Ids
$source->safe_psql('postgres', 'CREATE TABLE ids (id int PRIMARY KEY, at timestamptz)');
is($destination->safe_psql('postgres', q[SET client_min_messages = error; CREATE TABLE ids (id int, at timestamptz) PARTITION BY RANGE (id); CREATE TABLE ids_1 PARTITION OF ids FOR VALUES FROM (-5) TO (50);]
	  . define_job('of_ids', 'SELECT * FROM ids', target => "'ids'", window_column => "'id'", settle => "'off'") . q[; SELECT value FROM copy_incremental_explain('of_ids', ids => int8range(1, 101)) WHERE item = 'error' OR value ~ 'partition']),
	'no partition of public.ids takes rows of [50, 101)', 'ids');
# Method copy
like(warnings_of('m', "$by_at; CREATE TABLE m_all PARTITION OF m FOR VALUES FROM (MINVALUE) TO (MAXVALUE)", method => "'copy'"), qr/^method copy does not find partitions that are attached to public\.m while it runs$/, 'method copy');
for my $key ('RANGE (id, at)', 'RANGE (id)', 'LIST (at)', 'HASH (at)', "RANGE ((at AT TIME ZONE 'UTC'))")
{
	is(warnings_of('m', "CREATE TABLE m (id int, at timestamptz) PARTITION BY $key"), '', "the key $key: nothing is known");
}
is(warnings_of('m', 'CREATE TABLE m (id int, at timestamptz)'), '', 'a table without partitions');

no_session_left($source, 'no session is left at the source');
done_testing();
