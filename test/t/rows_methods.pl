# The differential test: whatever the target is, every method leaves the same rows, the same trigger log and the same
# count as method cursor, or ends with the same error; and method cursor does as a plain INSERT ... SELECT of the rows.
# How many cases each method was compared in, and how many it has refused, is printed. A method that refuses says so by
# 0A000 and a hint that names method => 'cursor'; where the documentation says that two methods differ, the table of cases
# says so too, and the difference is tested.
use strict;
use warnings;

use CaseRuns;
use TargetCases;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
create_case_objects($source, $destination);
my @cases = target_cases();

# The statements of a case by a method, in steps: the target, then for each mode the call, what it left in the target,
# in the log of triggers, and in sequences.
sub steps
{
	my ($case, $method) = @_;
	my $show = $case->{show} // 'SELECT t::text FROM t ORDER BY 1';
	$show =~ s/t::text/t.tableoid::regclass, t::text/ if $case->{ddl} =~ /TABLE t /;
	my @steps = create_target($case);
	for my $mode (modes_by($method, $case))
	{
		push @steps, $method eq 'insert' ? sprintf(q[SELECT insert_rows($query$%s$query$, '%s')], $case->{query}, $case->{target} // 'c.t')
		  : copy_sql(call_of($case, $method, $mode), batch => 3),
		  $show, 'SELECT what FROM log ORDER BY n', q[SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'c' ORDER BY 1];
	}
	return (@steps, $case->{after} // '');
}

sub modes_by
{
	my ($method, $case) = @_;
	return $method eq 'insert' ? 'append' : modes_of($case);
}

# What a method does in all cases, by case and mode.
sub effects
{
	my ($method) = @_;
	my @results = run_steps($destination, map { steps($_, $method) } map { $cases[2 * $_ + 1] } 0 .. $#cases / 2);
	my %effects;
	for my $i (0 .. $#cases / 2)
	{
		my ($name, $case) = @cases[ 2 * $i, 2 * $i + 1 ];
		my $made = shift @results;
		$made =~ /\A\s*\z/ or fail("$name: $made");
		for my $mode (modes_by($method, $case))
		{
			my ($result, $rows, $log, $sequences) = splice @results, 0, 4;
			# What an error has taken from sequences is left open.
			$effects{$name}{$mode} = join '', $result, "\n", $rows, $log, $result =~ /^\d+$/ ? $sequences : '';
		}
		shift @results;
	}
	return \%effects;
}

my @methods = ('insert', 'copy');
my %effects = map { $_ => effects($_) } 'cursor', @methods;
my (%compared, %refused, %differ);
while (my ($name, $case) = splice @cases, 0, 2)
{
	my $cursor = $effects{cursor}{$name};
	ok($cursor->{$_} !~ /^refused|^ERROR 22023: on_rerun/, "$name: cursor, $_") or diag($cursor->{$_}) for sort keys %$cursor;
	for my $method (@methods)
	{
		for my $mode (modes_by($method, $case))
		{
			my ($got, $difference) = ($effects{$method}{$name}{$mode}, $case->{differs}{"$method $mode"} // $case->{differs}{$method});
			if ($got =~ /^refused: /)
			{
				$refused{$method}++;
				fail("$name: $method, $mode $got") if $case->{plain} && !$case->{refuses}{$method};
				next;
			}
			$compared{$method}++;
			$differ{$method}++ if $difference;
			$difference ? isnt($got, $cursor->{$mode}, "$name: $method, $mode differs: $difference")
			  : is($got, $cursor->{$mode}, "$name: $method, $mode as cursor");
		}
	}
}
diag(sprintf '%s: %d cases compared with cursor, %d of them differ as documented; %d refused',
	$_, map { $_ // 0 } $compared{$_}, $differ{$_}, $refused{$_}) for @methods;

no_session_left($source, 'no session is left at the source');
done_testing();
