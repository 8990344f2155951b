# A numeric is stored as the server itself stores it, bit by bit, by every method: all lengths before and after the point,
# leading and trailing zeros, magnitudes that have the short header and the long one.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $seed = $ENV{SEED} // time ^ $$;
srand($seed);
my @numbers;
my @lengths = (0 .. 17, 60 .. 66, 252 .. 260);
for my $before (@lengths)
{
	for my $after (@lengths)
	{
		my ($whole, $fraction) = map { join '', map { rand() < 0.3 ? 0 : int rand 10 } 1 .. $_ } $before, $after;
		$fraction =~ s/^.{0,9}/0 x length $&/e if rand() < 0.4;
		$fraction =~ s/.{0,9}$/0 x length $&/e if rand() < 0.4;
		$whole =~ s/.{0,9}$/0 x length $&/e if rand() < 0.4;
		push @numbers, (rand() < 0.5 ? '-' : '') . "0$whole.$fraction" for 1 .. 2;
	}
}
push @numbers, map { ("1e$_", "-98765.4321e$_", "1e-$_") } 0 .. 300, map { 500 * $_ } 1 .. 8;
on_both('CREATE TABLE numbers (id int, v numeric)', $source, $destination);
$source->safe_psql('postgres', join "\n", 'COPY numbers FROM stdin;', (map { "$_\t$numbers[$_]" } 0 .. $#numbers), '\\.', '');
my $stored = q[SELECT count(*), md5(string_agg(concat_ws(' ', id, v, pg_column_size(v), scale(v), encode(numeric_send(v), 'hex'),
	hash_numeric(v)), ',' ORDER BY id)) FROM numbers];
my $sent = $source->safe_psql('postgres', $stored);
my $stored_otherwise = q[WITH again AS (SELECT id, v::text::numeric AS v FROM numbers)
	SELECT count(*) FROM numbers AS n JOIN again AS a USING (id)
	  WHERE numeric_send(n.v) <> numeric_send(a.v) OR n.v <> a.v OR hash_numeric(n.v) <> hash_numeric(a.v)];
for my $method (qw(cursor copy))
{
	$destination->safe_psql('postgres', 'TRUNCATE numbers');
	my $call = copy_sql('TABLE numbers', undef, target => "'numbers'", method => "'$method'");
	my ($status, $out, $err) = $destination->psql('postgres', $call);
	is($destination->safe_psql('postgres', $stored), $sent, scalar(@numbers) . " random numerics by $method (SEED=$seed)") or diag($err);
	is($destination->safe_psql('postgres', $stored_otherwise), 0, "$method: they are stored as numeric_in() would");
}

no_session_left($source, 'no session is left at the source');
done_testing();
