# A value that PostgreSQL cannot store, because it is 1 GB long: the run fails, or rejects the row, and no such value is written. No
# PostgreSQL server sends one. The test takes 4 GB of memory, and so runs only with PG_TEST_EXTRA=large_values.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use PostgreSQL::Test::Cluster;
use TwoServers;
use Test::More;

plan skip_all => 'PG_TEST_EXTRA has no large_values' unless ($ENV{PG_TEST_EXTRA} // '') =~ /\blarge_values\b/;

# The length of a varlena has 30 bits, of which the value itself can have 4 bytes less.
my $limit = 2**30 - 5;
my %lengths = ('a byte too long' => $limit + 1, 'of 1 GB' => 2**30, 'longer than 1 GB' => 2**30 + 16);

# The second column of the first row gets this length. A message of this size is not made in memory.
sub with_giant
{
	my ($length) = @_;
	my $send = sub {
		my ($session) = @_;
		my $begin = pack('n N/a* N', 2, pack('N', 1), $length);
		$session->put('D' . pack('N', 4 + length($begin) + $length) . $begin);
		my $chunk = 'a' x 2**20;
		for (my $left = $length; $left > 0; $left -= length $chunk) { $session->put($left < length $chunk ? substr($chunk, 0, $left) : $chunk); }
	};
	return { rows => 1, 'fetch 1' => replace_first('D', $send) };
}

my %oids = (text => 25, bytea => 17, varchar => 1043, jsonb => 3802);
my %scenarios;
for my $type (keys %oids)
{
	$scenarios{"$type $_"} = { columns => [ [ 'id', 23 ], [ 'note', $oids{$type} ] ], values => [ pack('N', 1), $type eq 'jsonb' ? "\1{}" : 'a row' ], %{ with_giant($lengths{$_}) } } for keys %lengths;
}
my $hostile = start_hostile_source(%scenarios);
my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->start;
$destination->safe_psql('postgres', 'CREATE EXTENSION pg_copy_incremental');
my ($session) = open_session($destination);

for my $type (sort keys %oids)
{
	for my $length (sort keys %lengths)
	{
		for my $on_error ('stop', 'reject')
		{
			my $conninfo = $hostile->conninfo("$type $length");
			$session->query_safe("DROP TABLE IF EXISTS rows; CREATE TABLE rows (id int, note $type)");
			my ($state, $said) = outcome_of($session, copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$",
				batch => 5, target => "'rows'", on_error => "'$on_error'"));
			like($state, qr/^(54000|22P03|00000)$/, "$type $length, on_error $on_error") or diag(substr $said, 0, 500);
			isnt($state, '00000', 'the run fails') if $on_error eq 'stop';
			is($session->query_safe("SELECT count(*) FROM rows WHERE length(note::text) NOT BETWEEN 0 AND 100"), 0, 'no such value is stored');
		}
	}
}
$session->quit;
done_testing();
