# All 31 days of January 2013, flights and weather, by both template styles: equal to the source by count and checksum.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my $zone = 'America/New_York';
my ($source, $destination) = start_servers(destination => "timezone = '$zone'\n");
my $data = "$FindBin::RealBin/../data";

$_->safe_psql('postgres', slurp_file("$data/schema.sql")) for $source, $destination;
for my $table (qw(flights weather))
{
	my $csv = PostgreSQL::Test::Utils::tempdir() . "/$table.csv";
	system("zcat $data/$table.csv.gz > $csv") == 0 or die "zcat $table.csv.gz";
	$source->safe_psql('postgres', "\\copy $table FROM '$csv' WITH (FORMAT csv, HEADER, NULL 'NA')");
}
is($source->safe_psql('postgres', 'SELECT (SELECT count(*) FROM flights), (SELECT count(*) FROM weather)'),
	'27004|26115', 'all real rows are at the source');

# One line a day: day|rows|checksum.
sub days
{
	my ($node, $table) = @_;
	return [ split /\n/, $node->safe_psql('postgres', <<~SQL) ];
		SET timezone = '$zone';
		SELECT time_hour::date, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM $table AS t
		WHERE time_hour >= '2013-01-01' AND time_hour < '2013-02-01' GROUP BY 1 ORDER BY 1;
		SQL
}

my @january = map { sprintf '2013-01-%02d', $_ } 1 .. 31;
for my $table (qw(flights weather))
{
	my $expected = days($source, $table);
	is(scalar @$expected, 31, "$table: 31 days at the source");
	for my $style (
		[ 'placeholder', "SELECT * FROM $table WHERE time_hour::date = date '{}'" ],
		[ 'parameters', "SELECT * FROM $table WHERE time_hour >= \$1 AND time_hour < \$2" ])
	{
		my ($name, $query) = @$style;
		$destination->safe_psql('postgres', "TRUNCATE $table");
		$destination->safe_psql('postgres', join '', map { copy_sql($query, $_) . ";\n" } @january);
		is_deeply(days($destination, $table), $expected, "$table, $name: 31 days equal by count and checksum");
	}
}

done_testing();
