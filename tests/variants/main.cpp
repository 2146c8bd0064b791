// Calls the variants that are linked into the program; each prints its numbers to the
// bit.
#include <cstdio>

extern "C" {
[[gnu::weak]] void part_a(double*, double*);
[[gnu::weak]] void part_b(double*, double*);
}

static void print(char name, void (*part)(double*, double*)) {
  if (!part) return;
  double value = 0, sum = 0;
  part(&value, &sum);
  std::printf("%c %a %a\n", name, value, sum);
}

int main() {
  for (int again = 0; again < 2; ++again) print('a', part_a), print('b', part_b);
}
