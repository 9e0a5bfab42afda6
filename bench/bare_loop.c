// The limit: MuJoCo in a plain C loop, with the same model, substeps, number of environments and resets as the batch
// it is compared with. For each environment in turn: load its state, write controls, mj_step the substeps, save its
// state; at the horizon mj_resetData and mj_forward. No inverse kinematics, signals, observation, reward or fault
// handling. Environment i starts in control step i mod horizon, so that resets spread over the loop.
// Reads "control steps" from standard input, one number a line; answers each with "wall seconds, CPU seconds, physics
// steps, mean contacts, mean constraint rows".
#include <mujoco/mujoco.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const int kFirstList = 6;  // arguments before it are single values

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double uniform(uint32_t* state) {  // in [-1, 1)
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return (double)(*state >> 8) / 8388608.0 - 1.0;
}

static double* numbers(char** words, int n) {
  double* values = malloc(sizeof(double) * (size_t)(n > 0 ? n : 1));
  for (int k = 0; k < n; ++k) values[k] = atof(words[k]);
  return values;
}

int main(int argc, char** argv) {
  if (argc < kFirstList) {
    fprintf(stderr, "usage: bare_loop model.xml timestep substeps horizon environments qpos... ctrl... noise...\n");
    return 2;
  }
  char message[1000] = "";
  mjModel* m = mj_loadXML(argv[1], NULL, message, sizeof message);
  if (m == NULL) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  m->opt.timestep = atof(argv[2]);
  const int substeps = atoi(argv[3]), horizon = atoi(argv[4]), environments = atoi(argv[5]);
  const int nq = (int)m->nq, nu = (int)m->nu;
  if (argc != kFirstList + nq + 2 * nu) {
    fprintf(stderr, "expected %d positions, %d controls and as many amplitudes of their noise\n", nq, nu);
    return 2;
  }
  const double* qpos = numbers(argv + kFirstList, nq);
  const double* ctrl = numbers(argv + kFirstList + nq, nu);
  const double* noise = numbers(argv + kFirstList + nq + nu, nu);

  mjData* d = mj_makeData(m);
  const int kept = mjSTATE_FULLPHYSICS | mjSTATE_WARMSTART;
  const int size = (int)mj_stateSize(m, kept);
  double* states = malloc(sizeof(double) * (size_t)size * (size_t)environments);
  int* steps = malloc(sizeof(int) * (size_t)environments);
  for (int i = 0; i < environments; ++i) {
    mj_resetData(m, d);
    for (int k = 0; k < nq; ++k) d->qpos[k] = qpos[k];
    mj_forward(m, d);
    mj_getState(m, d, states + (long)i * size, kept);
    steps[i] = i % horizon;
  }

  uint32_t random = 12345;
  int i = 0;
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const long count = atol(line);
    double contacts = 0, rows = 0;
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (long n = 0; n < count; ++n) {
      double* state = states + (long)i * size;
      mj_setState(m, d, state, kept);
      for (int k = 0; k < nu; ++k) d->ctrl[k] = ctrl[k] + noise[k] * uniform(&random);
      for (int k = 0; k < substeps; ++k) mj_step(m, d);
      contacts += (double)d->ncon;
      rows += (double)d->nefc;
      if (++steps[i] == horizon) {
        steps[i] = 0;
        mj_resetData(m, d);
        for (int k = 0; k < nq; ++k) d->qpos[k] = qpos[k];
        mj_forward(m, d);
      }
      mj_getState(m, d, state, kept);
      i = (i + 1) % environments;
    }
    printf("%.9f %.9f %ld %.3f %.3f\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_THREAD_CPUTIME_ID) - cpu,
           count * substeps, contacts / (double)count, rows / (double)count);
    fflush(stdout);
  }
  mj_deleteData(d);
  mj_deleteModel(m);
  return 0;
}
